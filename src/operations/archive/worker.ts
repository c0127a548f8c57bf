import { readlinkSync } from "node:fs"
import { constants, setPriority } from "node:os"
import { parentPort, workerData } from "node:worker_threads"
import type { Settings } from "../../config/settings.ts"
import { GATEWAY_ACTOR } from "../../core/actor.ts"
import { openDatabase } from "../../database/open.ts"
import { ArchiveBusy, archive } from "./run.ts"
import type { FromArchiver } from "./thread.ts"

/** Gives the archive a lower priority than answers. On Linux, each thread has a priority of its own. */
function lowerPriority(): void {
  try {
    const thread = /\/task\/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1]
    if (thread !== undefined) setPriority(Number(thread), constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // Not Linux, or not allowed: the archive works without it.
  }
}

// The entry of a thread: it runs when it is loaded.
lowerPriority()
const port = parentPort!
const post = (message: FromArchiver) => port.postMessage(message)
const stop = new AbortController()
port.on("message", () => stop.abort())
const settings = workerData as Settings
const log = (line: string) => post({ type: "log", line })
try {
  const database = await openDatabase(settings.storage, { role: "worker", log })
  try {
    const context = { database, settings, now: Date.now, log, onProgress: () => {}, actor: GATEWAY_ACTOR }
    post({ type: "done", result: await archive({ ...context, signal: stop.signal }, { before: undefined }) })
  } finally {
    await database.close()
  }
} catch (error) {
  post({ type: "failed", isBusy: error instanceof ArchiveBusy, reason: (error as Error).message })
}
port.close()
