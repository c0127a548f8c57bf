import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import type { Countable, Encoding, Reading } from "../core/usage.ts"

export interface ToWorker {
  readonly id: number
  readonly encoding: Encoding
  readonly request: Uint8Array | undefined
  readonly output: Uint8Array
}

export interface FromWorker {
  readonly id: number
  readonly input: number | undefined
  readonly output: number
}

export interface Tokenizer {
  /** The reading by the model's own tokenizer; undefined when it could not be had in time. Never rejects. */
  count(countable: Countable): Promise<Reading | undefined>
  /** Resolves when no count is under way. */
  settled(): Promise<void>
  close(): Promise<void>
}

export interface TokenizerOptions {
  /** Takes one line of talk. */
  log(line: string): void
  readonly timeoutMs?: number
  /** The thread and its vocabulary (some 70 MB) go when nothing was counted for so long. */
  readonly idleMs?: number
}

/** When thousands of streams are cut at once, the rest are counted by their length. */
const MAX_WAITING = 128

interface Waiting {
  readonly countable: Countable
  readonly done: (reading: Reading | undefined) => void
}

/**
 * Counts text in a thread of its own, which starts when first needed: loading a vocabulary takes 150 ms and some texts
 * take as long as their length squared, and neither may hold up the answers of others.
 */
export function createTokenizer({ log, timeoutMs = 2000, idleMs = 60_000 }: TokenizerOptions): Tokenizer {
  const waiting = new Map<number, Waiting>()
  const running = new Set<Promise<unknown>>()
  let worker: Worker | undefined
  let idle: NodeJS.Timeout | undefined
  let lastId = 0
  let isMissing = false

  function start(): Worker | undefined {
    if (worker || isMissing) return worker
    const file = findWorker()
    if (file === undefined) {
      isMissing = true
      log("the tokenizer is missing from this installation: cut streams are estimated by their length")
      return undefined
    }
    const started = new Worker(file, { env: {}, execArgv: [] })
    started.unref()
    started.on("message", ({ id, input, output }: FromWorker) => {
      const { countable } = waiting.get(id) ?? {}
      finish(id, countable?.toReading({ input, output: Math.ceil(output * countable.outputScale) }))
    })
    started.on("error", (error) => {
      log(`the tokenizer failed (${error.message}): cut streams are estimated by their length`)
      drop(started)
    })
    worker = started
    return started
  }

  function finish(id: number, reading: Reading | undefined): void {
    const one = waiting.get(id)
    waiting.delete(id)
    one?.done(reading)
    if (waiting.size > 0) return
    clearTimeout(idle)
    idle = setTimeout(() => worker && drop(worker), idleMs).unref()
  }

  /** Ends a thread that is idle, broken or late; who waits for it has no count. */
  function drop(dropped: Worker): void {
    if (dropped !== worker) return
    worker = undefined
    clearTimeout(idle)
    for (const id of [...waiting.keys()]) finish(id, undefined)
    clearTimeout(idle)
    void dropped.terminate()
  }

  function ask(countable: Countable): Promise<Reading | undefined> {
    const target = waiting.size < MAX_WAITING ? start() : undefined
    if (!target) return Promise.resolve(undefined)
    const id = ++lastId
    return new Promise((resolve) => {
      const timer = setTimeout(() => drop(target), timeoutMs)
      const done = (reading: Reading | undefined) => {
        clearTimeout(timer)
        resolve(reading)
      }
      waiting.set(id, { countable, done })
      const { encoding, request, output } = countable
      target.postMessage({ id, encoding, request, output } satisfies ToWorker)
    })
  }

  return {
    count(countable) {
      const counting = ask(countable)
      running.add(counting)
      void counting.then(() => running.delete(counting))
      return counting
    },
    async settled() {
      while (running.size > 0) await Promise.all(running)
    },
    async close() {
      if (worker) drop(worker)
    },
  }
}

/** Where a build, or a run from the sources, puts the worker; the bundler decides how deep in `dist` this module ends. */
const PLACES = ["tokenizer/worker.mjs", "node_modules/.cache/majordomo-gateway/tokenizer/worker.mjs"]
const MAX_LEVELS = 5

function findWorker(): URL | undefined {
  let directory = dirname(fileURLToPath(import.meta.url))
  for (let level = 0; level < MAX_LEVELS; level++) {
    const found = PLACES.map((place) => join(directory, place)).find((path) => existsSync(path))
    if (found) return pathToFileURL(found)
    directory = dirname(directory)
  }
  return undefined
}
