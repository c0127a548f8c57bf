import { checkBucket } from "../../bodies/s3/check.ts"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import { type Finding, finder } from "./_finding.ts"

const say = finder("S3")

/** Puts, gets and deletes one small object, where bodies go to S3. */
export async function checkS3({ s3, logging }: Settings): Promise<Finding[]> {
  if (logging.bodyStorage !== "s3" && !s3.enabled) return [say.skipped("no bodies are kept there")]
  try {
    const { removed } = await checkBucket(s3)
    const what = `objects can be put and got back in the bucket ${s3.bucket}`
    if (removed.done) return [say.ok(what)]
    return [say.ok(what), say.warning(`the probe ${removed.key} stays there: ${removed.reason}`, "delete it by hand")]
  } catch (error) {
    if (error instanceof CommandError) return [say.problem(error.message)]
    throw error
  }
}
