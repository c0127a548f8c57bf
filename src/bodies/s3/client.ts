import type { S3Client } from "@aws-sdk/client-s3"

export interface S3Settings {
  readonly bucket: string | undefined
  readonly region: string
  /** MinIO, R2, LocalStack: addressed by path. */
  readonly endpoint: string | undefined
  /** Without keys: the AWS default credential chain. */
  readonly accessKeyId: string | undefined
  readonly secretAccessKey: string | undefined
}

export interface Bucket {
  /** Puts a gzip JSON object. Tries once. */
  put(key: string, gzip: Buffer): Promise<void>
  /** The object as it is stored; undefined: there is none. */
  get(key: string): Promise<Buffer | undefined>
  close(): void
}

const CONNECT_TIMEOUT_MS = 5000
/** Of one attempt: a link of a few kB/s is waited for. */
const ATTEMPT_TIMEOUT_MS = 120_000

/** @throws Error when the settings cannot be right */
export function checkSettings({ bucket, accessKeyId, secretAccessKey }: S3Settings): string {
  if (!bucket) throw new Error("s3.bucket: the name of a bucket is needed to store bodies in S3")
  if (Boolean(accessKeyId) !== Boolean(secretAccessKey)) {
    const missing = accessKeyId ? "secret_access_key" : "access_key_id"
    throw new Error(`s3.${missing}: missing; give both keys, or neither for the AWS default credential chain`)
  }
  return bucket
}

/** The SDK is loaded here and nowhere else: 100 ms and 40 MB that only those pay who use it. */
export async function openBucket(settings: S3Settings, timeoutMs = ATTEMPT_TIMEOUT_MS): Promise<Bucket> {
  const Bucket = checkSettings(settings)
  const { S3Client, PutObjectCommand, GetObjectCommand } = await import("@aws-sdk/client-s3")
  const { accessKeyId, secretAccessKey, endpoint, region } = settings
  const client: S3Client = new S3Client({
    region,
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    // The uploader tries again itself, and knows that one trouble is everybody's.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
    // Older MinIO and others do not know the checksums that newer SDKs add by themselves.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  })
  return {
    async put(Key, Body) {
      await client.send(
        new PutObjectCommand({
          Bucket,
          Key,
          Body,
          ContentType: "application/json",
          ContentEncoding: "gzip",
        }),
        { abortSignal: AbortSignal.timeout(timeoutMs) },
      )
    },
    async get(Key) {
      try {
        const abortSignal = AbortSignal.timeout(timeoutMs)
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }), { abortSignal })
        return Body === undefined ? undefined : Buffer.from(await Body.transformToByteArray())
      } catch (error) {
        if ((error as Error).name === "NoSuchKey") return undefined
        throw error
      }
    },
    close: () => client.destroy(),
  }
}
