import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import type { Settings } from "../../config/settings.ts"
import type { ArchiveResult } from "./run.ts"

/** The messages of the thread. */
export type FromArchiver =
  | { readonly type: "log"; readonly line: string }
  | { readonly type: "done"; readonly result: ArchiveResult }
  | { readonly type: "failed"; readonly isBusy: boolean; readonly reason: string }

export type ArchiverEnding = Exclude<FromArchiver, { type: "log" }>

const FILE = "archive/worker.mjs"
const MAX_LEVELS = 4

/**
 * Writes finished days in a thread with a low priority and a database connection of its own: compressing a row group takes
 * longer than an answer may wait. In a run from the sources there is no such thread, and the result is undefined.
 */
export async function archiveInThread(
  settings: Settings,
  { log, signal, workerUrl }: { log(line: string): void; readonly signal: AbortSignal; readonly workerUrl?: URL },
): Promise<ArchiverEnding | undefined> {
  const file = workerUrl ?? findWorker()
  if (file === undefined) return undefined
  const worker = new Worker(file, { workerData: settings, execArgv: [] })
  const stop = () => worker.postMessage("stop")
  signal.addEventListener("abort", stop)
  try {
    return await new Promise<ArchiverEnding>((resolve) => {
      const fail = (reason: string) => resolve({ type: "failed", isBusy: false, reason })
      worker.on("message", (message: FromArchiver) => {
        if (message.type === "log") log(message.line)
        else resolve(message)
      })
      worker.on("error", (error) => fail(error.message))
      worker.on("exit", () => fail("its thread has ended"))
    })
  } finally {
    signal.removeEventListener("abort", stop)
  }
}

/** The bundler decides how deep this module is. */
function findWorker(): URL | undefined {
  let directory = dirname(fileURLToPath(import.meta.url))
  for (let level = 0; level < MAX_LEVELS; level++) {
    const path = join(directory, FILE)
    if (existsSync(path)) return pathToFileURL(path)
    directory = dirname(directory)
  }
  return undefined
}
