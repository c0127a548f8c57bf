import { readlinkSync } from "node:fs"
import { constants, setPriority } from "node:os"
import { parentPort, workerData } from "node:worker_threads"
import { openBucket, type S3Settings } from "./client.ts"
import type { Backoff } from "./failure-state.ts"
import { createUploader, type ToUploader } from "./uploader.ts"

export interface UploaderData {
  readonly dir: string
  readonly s3: S3Settings
  readonly backoff: Backoff
  /** The longest time of one attempt. */
  readonly attemptMs: number
}

/** Where cores are few, answers go before uploads: on Linux each thread has a priority of its own. */
function letAnswersGoFirst(): void {
  try {
    const thread = /\/task\/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1]
    if (thread !== undefined) setPriority(Number(thread), constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // Another system, or not allowed: uploads work without it.
  }
}

// The entry of a thread: it begins when it is loaded.
letAnswersGoFirst()
const { dir, s3, backoff, attemptMs } = workerData as UploaderData
const port = parentPort!
const tell = createUploader({
  dir,
  openBucket: () => openBucket(s3, attemptMs),
  backoff,
  post: (message) => {
    port.postMessage(message)
    if (message.type === "closed") port.close()
  },
})
port.on("message", (message: ToUploader) => tell(message))
