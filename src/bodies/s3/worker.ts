import { parentPort, workerData } from "node:worker_threads"
import { lowerPriority } from "../../kit/low-priority.ts"
import { openBucket, type S3Settings } from "./client.ts"
import type { Backoff } from "./failure-state.ts"
import { type ToUploader, Uploader } from "./uploader.ts"

export interface UploaderData {
  readonly dir: string
  readonly s3: S3Settings
  readonly backoff: Backoff
  /** The longest time of one attempt. */
  readonly attemptMs: number
}

// The entry of a thread: it runs when it is loaded.
lowerPriority()
const { dir, s3, backoff, attemptMs } = workerData as UploaderData
const port = parentPort!
const uploader = new Uploader({
  dir,
  openBucket: () => openBucket(s3, attemptMs),
  backoff,
  post: (message) => {
    port.postMessage(message)
    if (message.type === "closed") port.close()
  },
})
port.on("message", (message: ToUploader) => uploader.receive(message))
