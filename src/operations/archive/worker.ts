import { parentPort, workerData } from "node:worker_threads"
import { openDatabase } from "../../database/open.ts"
import { lowerPriority } from "../../kit/low-priority.ts"
import { ArchiveBusy, archive } from "./run.ts"
import type { ArchiverData, FromArchiver } from "./thread.ts"

// The entry of a thread: it runs when it is loaded.
lowerPriority()
const port = parentPort!
const post = (message: FromArchiver) => port.postMessage(message)
const stop = new AbortController()
port.on("message", () => stop.abort())
const { settings, before, actor } = workerData as ArchiverData
const log = (line: string) => post({ type: "log", line })
try {
  const database = await openDatabase(settings.storage, { role: "worker", log })
  try {
    const onProgress = (done: number, total: number) => post({ type: "progress", done, total })
    const context = { database, settings, now: Date.now, log, onProgress, actor, signal: stop.signal }
    post({ type: "done", result: await archive(context, { before }) })
  } finally {
    await database.close()
  }
} catch (error) {
  post({ type: "failed", isBusy: error instanceof ArchiveBusy, reason: (error as Error).message })
}
port.close()
