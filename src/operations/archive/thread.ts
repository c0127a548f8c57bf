import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import type { Settings } from "../../config/settings.ts"
import { type Actor, GATEWAY_ACTOR } from "../../core/actor.ts"
import { CommandError } from "../../core/errors.ts"
import { type ArchiveContext, type ArchiveInput, type ArchiveResult, archive } from "./run.ts"

/** The messages of the thread. */
export type FromArchiver =
  | { readonly type: "log"; readonly line: string }
  | { readonly type: "progress"; readonly done: number; readonly total: number }
  | { readonly type: "done"; readonly result: ArchiveResult }
  | { readonly type: "failed"; readonly isBusy: boolean; readonly reason: string }

export type ArchiverEnding = Extract<FromArchiver, { type: "done" | "failed" }>

export interface ArchiverData extends ArchiveInput {
  readonly settings: Settings
  readonly actor: Actor
}

interface ArchiverOptions extends Partial<ArchiveInput> {
  readonly signal: AbortSignal
  readonly actor?: Actor
  readonly workerUrl?: URL
  log(line: string): void
  onProgress?(done: number, total: number): void
}

const FILE = "archive/worker.mjs"
const MAX_LEVELS = 4

/**
 * Writes finished days in a thread with a low priority and a database connection of its own: compressing a row group takes
 * longer than an answer may wait. In a run from the sources there is no such thread, and the result is undefined.
 */
export async function archiveInThread(
  settings: Settings,
  { log, signal, workerUrl, before, actor = GATEWAY_ACTOR, onProgress }: ArchiverOptions,
): Promise<ArchiverEnding | undefined> {
  const file = workerUrl ?? findWorker()
  if (file === undefined) return undefined
  const workerData: ArchiverData = { settings, before, actor }
  const worker = new Worker(file, { workerData, execArgv: [] })
  const stop = () => worker.postMessage("stop")
  signal.addEventListener("abort", stop)
  try {
    return await new Promise<ArchiverEnding>((resolve) => {
      const fail = (reason: string) => resolve({ type: "failed", isBusy: false, reason })
      worker.on("message", (message: FromArchiver) => {
        if (message.type === "log") log(message.line)
        else if (message.type === "progress") onProgress?.(message.done, message.total)
        else resolve(message)
      })
      worker.on("error", (error) => fail(error.message))
      worker.on("exit", () => fail("its thread has ended"))
    })
  } finally {
    signal.removeEventListener("abort", stop)
  }
}

/** Writes finished days for a caller: a gateway that is asked over HTTP uses the thread, and a command works by itself. */
export async function archiveForCaller(context: ArchiveContext, input: ArchiveInput): Promise<ArchiveResult> {
  if (context.actor.kind === "command") return archive(context, input)
  const ending = await archiveInThread(context.settings, { ...context, ...input })
  if (ending === undefined) return archive(context, input)
  if (ending.type === "done") return ending.result
  throw new CommandError(ending.reason)
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
