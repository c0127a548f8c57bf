import { randomUUID } from "node:crypto"
import { gzipSync } from "node:zlib"
import { CommandError } from "../../core/errors.ts"
import { openBucket, type S3Settings } from "./client.ts"
import { toFailure } from "./failure.ts"

const ATTEMPT_MS = 10_000

interface BucketCheck {
  /** The gateway itself deletes nothing, so it does not matter when it may not. */
  readonly removed: { readonly done: true } | { readonly done: false; readonly key: string; readonly reason: string }
}

/** Puts a small object, gets it and deletes it. @throws CommandError that says what is wrong with S3 */
export async function checkBucket(settings: S3Settings): Promise<BucketCheck> {
  const bucket = await openBucket(settings, ATTEMPT_MS)
  const key = `majordomo-doctor/${randomUUID()}.json.gz`
  const object = gzipSync(JSON.stringify({ probe: key }))
  try {
    await bucket.put(key, object).catch((error: unknown) => {
      throw new CommandError(`S3 does not accept objects: ${toFailure(error).text}`)
    })
    const back = await bucket.get(key)
    if (!back?.equals(object)) throw new CommandError("S3 returned another object than the one that was put")
    try {
      await bucket.remove(key)
      return { removed: { done: true } }
    } catch (error) {
      return { removed: { done: false, key, reason: toFailure(error, "remove").text } }
    }
  } finally {
    bucket.close()
  }
}
