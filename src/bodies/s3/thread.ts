import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import { openBucket } from "./client.ts"
import type { FromUploader } from "./progress.ts"
import { type ToUploader, Uploader } from "./uploader.ts"
import type { UploaderData } from "./worker.ts"

const FILE = "bodies/uploader.mjs"
const MAX_LEVELS = 4
const CLOSE_TIMEOUT_MS = 2000

/** A running uploader. */
export interface UploadThread {
  send(message: ToUploader): void
  /** Never rejects. What is in flight is uploaded again by the next process. */
  close(): Promise<void>
}

/**
 * Starts uploads in a thread of their own, because one costs three quarters of a millisecond of CPU in the SDK, more than
 * five requests cost the gateway. Without the file of the thread, which only a build creates, they run in this thread.
 */
export function startUploads(options: {
  readonly data: UploaderData
  readonly workerUrl: URL | null | undefined
  onMessage(message: FromUploader): void
  /** The thread has ended by itself, and with it everything that was sent to it. */
  onDied(reason: string): void
}): UploadThread {
  const url = options.workerUrl === undefined ? findWorker(import.meta.url) : options.workerUrl
  return url === null ? startHere(options) : startThread(url, options)
}

type StartOptions = Parameters<typeof startUploads>[0]

function startThread(url: URL, { data, onMessage, onDied }: StartOptions): UploadThread {
  const worker = new Worker(url, { workerData: data, stdout: true, stderr: true })
  // The SDK prints remarks on the version of node, which are not meant for the operator.
  worker.stdout.resume()
  worker.stderr.resume()
  let isClosing = false
  let reason = "it ended"
  const ended = new Promise<void>((resolve) => {
    worker.on("exit", () => {
      resolve()
      if (!isClosing) onDied(reason)
    })
  })
  worker.on("error", (error) => {
    reason = error.message
  })
  worker.on("message", onMessage)
  return {
    send: (message) => worker.postMessage(message),
    async close() {
      isClosing = true
      worker.postMessage({ type: "close" } satisfies ToUploader)
      const timer = setTimeout(() => void worker.terminate(), CLOSE_TIMEOUT_MS)
      await ended
      clearTimeout(timer)
    },
  }
}

function startHere({ data, onMessage }: StartOptions): UploadThread {
  let onClosed: (() => void) | undefined
  const { dir, s3, backoff, attemptMs } = data
  const uploader = new Uploader({
    dir,
    openBucket: () => openBucket(s3, attemptMs),
    backoff,
    post: (message) => (message.type === "closed" ? onClosed?.() : onMessage(message)),
  })
  return {
    send: (message) => uploader.receive(message),
    close: () =>
      new Promise((resolve) => {
        onClosed = resolve
        uploader.receive({ type: "close" })
      }),
  }
}

/**
 * Finds the file of the thread above this module, because the bundler decides how deep in `dist` a module ends. Returns
 * `null` when the program runs from its sources.
 */
function findWorker(from: string): URL | null {
  let directory = dirname(fileURLToPath(from))
  for (let level = 0; level < MAX_LEVELS; level++) {
    const path = join(directory, FILE)
    if (existsSync(path)) return pathToFileURL(path)
    directory = dirname(directory)
  }
  return null
}
