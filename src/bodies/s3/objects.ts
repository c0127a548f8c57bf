import { open, stat } from "node:fs/promises"
import type { S3Client } from "@aws-sdk/client-s3"
import { CommandError } from "../../core/errors.ts"
import { createClient, type S3Settings } from "./client.ts"
import { toFailure } from "./failure.ts"

/** S3 takes parts of 5 MiB or more, and at most 10,000 of them: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const PART_BYTES = 16 << 20
/** Retries by the SDK, with its own pauses. */
const MAX_ATTEMPTS = 5

/** Objects of any kind in a bucket, by their whole keys. Everything throws a CommandError that says what is wrong with S3. */
interface Objects {
  put(key: string, body: Buffer): Promise<void>
  /** Uploads a file, in parts if it is larger than one. The object exists when all of it is there. */
  upload(key: string, path: string): Promise<void>
  size(key: string): Promise<number | undefined>
  read(key: string, start: number, end: number): Promise<Buffer>
  list(prefix: string): Promise<readonly { readonly key: string; readonly bytes: number }[]>
  remove(key: string): Promise<void>
  /** Aborts the uploads below a prefix that did not end. Without the permission to list them, a rule of the bucket has to. */
  abortUploads(prefix: string): Promise<void>
  close(): void
}

export async function openObjects(settings: S3Settings, { partBytes = PART_BYTES } = {}): Promise<Objects> {
  const sdk = await import("@aws-sdk/client-s3")
  const { client, bucket: Bucket } = await createClient(settings, { maxAttempts: MAX_ATTEMPTS })

  const put = async (Key: string, Body: Buffer) => {
    await tell("put", client.send(new sdk.PutObjectCommand({ Bucket, Key, Body })))
  }

  return {
    put,
    async upload(key, path) {
      const { size } = await stat(path)
      if (size > partBytes) return tell("put", uploadParts({ sdk, client, Bucket, Key: key, path, size, partBytes }))
      const file = await open(path, "r")
      try {
        await put(key, await file.readFile())
      } finally {
        await file.close()
      }
    },
    async size(Key) {
      try {
        const { ContentLength } = await client.send(new sdk.HeadObjectCommand({ Bucket, Key }))
        return ContentLength ?? 0
      } catch (error) {
        if (["NotFound", "NoSuchKey"].includes((error as Error).name)) return undefined
        throw new CommandError(`the archive and S3: ${toFailure(error, "get").text}`)
      }
    },
    read: (Key, start, end) =>
      tell(
        "get",
        client
          .send(new sdk.GetObjectCommand({ Bucket, Key, Range: `bytes=${start}-${end - 1}` }))
          .then(async ({ Body }) => {
            return Buffer.from((await Body?.transformToByteArray()) ?? [])
          }),
      ),
    async list(Prefix) {
      const found: { key: string; bytes: number }[] = []
      for (let ContinuationToken: string | undefined; ; ) {
        const list = new sdk.ListObjectsV2Command({ Bucket, Prefix, ...(ContinuationToken && { ContinuationToken }) })
        const answer = await tell("get", client.send(list))
        for (const { Key, Size } of answer.Contents ?? []) found.push({ key: Key ?? "", bytes: Size ?? 0 })
        ContinuationToken = answer.NextContinuationToken
        if (ContinuationToken === undefined) return found
      }
    },
    remove: async (Key) => {
      await tell("remove", client.send(new sdk.DeleteObjectCommand({ Bucket, Key })))
    },
    async abortUploads(Prefix) {
      // Where they may not be listed, a lifecycle rule of the bucket has to remove them.
      for (let next: { KeyMarker?: string; UploadIdMarker?: string } = {}; ; ) {
        const list = new sdk.ListMultipartUploadsCommand({ Bucket, Prefix, ...next })
        const answer = await client.send(list).catch(() => undefined)
        for (const { Key, UploadId } of answer?.Uploads ?? []) {
          await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => {})
        }
        const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = answer ?? {}
        if (IsTruncated !== true || KeyMarker === undefined || UploadIdMarker === undefined) return
        next = { KeyMarker, UploadIdMarker }
      }
    },
    close: () => client.destroy(),
  }
}

interface Upload {
  readonly sdk: typeof import("@aws-sdk/client-s3")
  readonly client: S3Client
  readonly Bucket: string
  readonly Key: string
  readonly path: string
  readonly size: number
  readonly partBytes: number
}

/** Uploads a file in parts, one after the other, so that one of them is in memory. */
async function uploadParts({ sdk, client, Bucket, Key, path, size, partBytes }: Upload): Promise<void> {
  const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key }))
  const file = await open(path, "r")
  try {
    const Parts: { ETag: string | undefined; PartNumber: number }[] = []
    for (let at = 0; at < size; at += partBytes) {
      const Body = Buffer.alloc(Math.min(partBytes, size - at))
      await file.read(Body, 0, Body.length, at)
      const PartNumber = Parts.length + 1
      const { ETag } = await client.send(new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
      Parts.push({ ETag, PartNumber })
    }
    const MultipartUpload = { Parts }
    await client.send(new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }))
  } catch (error) {
    await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => {})
    throw error
  } finally {
    await file.close()
  }
}

async function tell<T>(doing: "put" | "get" | "remove", work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new CommandError(`the archive and S3: ${toFailure(error, doing).text}`)
  }
}
