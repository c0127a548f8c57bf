import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import { openBucket } from "./client.ts"
import { createUploader, type FromUploader, type ToUploader } from "./uploader.ts"
import type { UploaderData } from "./worker.ts"

const FILE = "bodies/uploader.mjs"
const MAX_LEVELS = 4
const CLOSE_PATIENCE_MS = 2000

export interface Uploading {
  tell(message: ToUploader): void
  /** Rejects nothing; what is under way is tried again by the next process. */
  close(): Promise<void>
}

/**
 * Uploads in a thread of their own: one costs three quarters of a millisecond of CPU in the SDK, more than the gateway
 * needs for five requests. Without the thread's file, which only a build makes, in this one.
 */
export function startUploading(options: {
  readonly data: UploaderData
  readonly workerUrl: URL | null | undefined
  onMessage(message: FromUploader): void
  /** The thread has ended by itself; what was told to it is void. */
  onDied(reason: string): void
}): Uploading {
  const url = options.workerUrl === undefined ? findWorker(import.meta.url) : options.workerUrl
  return url === null ? startHere(options) : startThread(url, options)
}

type StartOptions = Parameters<typeof startUploading>[0]

function startThread(url: URL, { data, onMessage, onDied }: StartOptions): Uploading {
  const worker = new Worker(url, { workerData: data, stdout: true, stderr: true })
  // The SDK's remarks on versions of node are not for whoever runs the gateway.
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
    tell: (message) => worker.postMessage(message),
    async close() {
      isClosing = true
      worker.postMessage({ type: "close" } satisfies ToUploader)
      const timer = setTimeout(() => void worker.terminate(), CLOSE_PATIENCE_MS)
      await ended
      clearTimeout(timer)
    },
  }
}

function startHere({ data, onMessage }: StartOptions): Uploading {
  let onClosed: (() => void) | undefined
  const { dir, s3, backoff, attemptMs } = data
  const tell = createUploader({
    dir,
    openBucket: () => openBucket(s3, attemptMs),
    backoff,
    post: (message) => (message.type === "closed" ? onClosed?.() : onMessage(message)),
  })
  return {
    tell,
    close: () =>
      new Promise((resolve) => {
        onClosed = resolve
        tell({ type: "close" })
      }),
  }
}

/** Looks upwards from this module: the bundler decides how deep in `dist` it ends. null: run from the sources. */
function findWorker(from: string): URL | null {
  let directory = dirname(fileURLToPath(from))
  for (let level = 0; level < MAX_LEVELS; level++) {
    const path = join(directory, FILE)
    if (existsSync(path)) return pathToFileURL(path)
    directory = dirname(directory)
  }
  return null
}
