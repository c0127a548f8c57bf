import type { S3Client } from "@aws-sdk/client-s3"
import { CommandError } from "../../core/errors.ts"
import { createProxyAgents } from "../../kit/proxy/agent.ts"
import type { Proxies } from "../../kit/proxy/proxies.ts"
import { boundAnswers } from "./bounded-answers.ts"
import { toFailure } from "./failure.ts"

export interface S3Settings {
  readonly bucket: string | undefined
  readonly region: string
  /** The URL of MinIO, R2 or LocalStack, whose buckets are addressed by path. */
  readonly endpoint: string | undefined
  /** Without keys, the AWS default credential chain is used. */
  readonly accessKeyId: string | undefined
  readonly secretAccessKey: string | undefined
  /** The proxies through which the bucket is reached. */
  readonly proxies?: Proxies | undefined
}

export interface Bucket {
  /** Puts a gzip JSON object. */
  put(key: string, gzip: Buffer): Promise<void>
  /**
   * Returns the object as it is stored, or `undefined` when there is none. @throws CommandError that says what is wrong
   * with S3
   */
  get(key: string): Promise<Buffer | undefined>
  remove(key: string): Promise<void>
  close(): void
}

const CONNECT_TIMEOUT_MS = 5000
/** The number of the SDK itself. */
const MAX_SOCKETS = 50
/** A connection on which nothing moves for so long is given up, so that a server that hangs frees its upload slot. */
const IDLE_TIMEOUT_MS = 15_000

/** Returns the name of the bucket. @throws CommandError when the settings cannot be right */
export function checkSettings({ bucket, accessKeyId, secretAccessKey }: S3Settings): string {
  if (!bucket) throw new CommandError("s3.bucket: the name of a bucket is needed to store bodies in S3")
  if (Boolean(accessKeyId) !== Boolean(secretAccessKey)) {
    const missing = accessKeyId ? "secret_access_key" : "access_key_id"
    throw new CommandError(`s3.${missing}: missing; give both keys, or neither for the AWS default credential chain`)
  }
  return bucket
}

/** Creates a client of S3. The SDK is loaded in this folder and nowhere else, because it costs 100 ms and 40 MB. */
export async function createClient(
  settings: S3Settings,
  { maxAttempts = 1, idleMs = IDLE_TIMEOUT_MS } = {},
): Promise<{ readonly client: S3Client; readonly bucket: string }> {
  const bucket = checkSettings(settings)
  const { S3Client } = await import("@aws-sdk/client-s3")
  const { accessKeyId, secretAccessKey, endpoint, region, proxies } = settings
  const agents = proxies && createProxyAgents(proxies, { maxSockets: MAX_SOCKETS, timeoutMs: CONNECT_TIMEOUT_MS })
  const client: S3Client = new S3Client({
    region,
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    maxAttempts,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: idleMs, ...agents },
    // Older versions of MinIO and others do not support the checksums that newer SDKs add by default.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  })
  boundAnswers(client)
  return { client, bucket }
}

/**
 * Opens a bucket.
 * @param attemptMs the longest time of one request
 * @param more `maxAttempts` is 1 for the uploader, which retries by itself and treats one failure as that of all objects
 */
export async function openBucket(
  settings: S3Settings,
  attemptMs: number,
  more: { readonly maxAttempts?: number; readonly idleMs?: number } = {},
): Promise<Bucket> {
  const { PutObjectCommand, GetObjectCommand, DeleteObjectCommand } = await import("@aws-sdk/client-s3")
  const { client, bucket: Bucket } = await createClient(settings, more)
  async function within<T>(work: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(), attemptMs)
    try {
      return await work(abort.signal)
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    async put(Key, Body) {
      const put = new PutObjectCommand({
        Bucket,
        Key,
        Body,
        ContentType: "application/json",
        ContentEncoding: "gzip",
      })
      await within((abortSignal) => client.send(put, { abortSignal }))
    },
    async get(Key) {
      try {
        return await within(async (abortSignal) => {
          const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }), { abortSignal })
          return Body === undefined ? undefined : Buffer.from(await Body.transformToByteArray())
        })
      } catch (error) {
        if ((error as Error).name === "NoSuchKey") return undefined
        throw new CommandError(`S3 does not return ${Key}: ${toFailure(error, "get").text}`)
      }
    },
    async remove(Key) {
      await within((abortSignal) => client.send(new DeleteObjectCommand({ Bucket, Key }), { abortSignal }))
    },
    close: () => client.destroy(),
  }
}
