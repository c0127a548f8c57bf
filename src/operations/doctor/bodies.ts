import { checkBucket } from "../../bodies/s3/check.ts"
import { CommandError } from "../../core/errors.ts"
import type { Context } from "../context.ts"
import { type Finding, findingsOf } from "./finding.ts"

const s3Findings = findingsOf("S3")

/** Puts, gets and deletes a small object, if bodies are stored in S3. */
export async function checkS3({ settings: { s3, logging } }: Context<"settings">): Promise<Finding[]> {
  if (logging.bodyStorage !== "s3" && !s3.enabled) return [s3Findings.skipped("bodies are not stored there")]
  try {
    const { removed } = await checkBucket(s3)
    const works = s3Findings.ok(`objects can be put and read in the bucket ${s3.bucket}`)
    if (removed.done) return [works]
    return [works, s3Findings.warning(`the test object ${removed.key} is left there: ${removed.reason}`, "delete it")]
  } catch (error) {
    if (error instanceof CommandError) return [s3Findings.problem(error.message)]
    throw error
  }
}
