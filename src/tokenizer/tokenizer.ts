import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import type { Countable, Reading } from "../core/usage.ts"
import type { CountRequest, CountResult } from "./messages.ts"

export interface Tokenizer {
  /**
   * Returns the reading with the counts of the model's own tokenizer. The result is undefined if they are not available
   * in time. Never rejects.
   */
  count(countable: Countable): Promise<Reading | undefined>
  /** Resolves when no count is in progress. */
  settled(): Promise<void>
  close(): Promise<void>
}

interface TokenizerOptions {
  /** Logs one line. */
  log(line: string): void
  readonly timeoutMs?: number
  /** After this time without a count, the thread and its vocabulary (about 70 MB) are released. */
  readonly idleMs?: number
}

/** If more streams than this are cut off at once, the rest are estimated by their length. */
const MAX_WAITING = 128

/**
 * Creates a tokenizer that counts in a thread. The thread starts when it is first needed. Loading a vocabulary takes
 * 150 ms, and some texts take time in proportion to the square of their length; neither may delay other answers.
 */
export function createTokenizer({ log, timeoutMs = 2000, idleMs = 60_000 }: TokenizerOptions): Tokenizer {
  const thread = new TokenizerThread(log, idleMs)
  const running = new Set<Promise<unknown>>()
  return {
    count(countable) {
      const counting = thread.count(countable, timeoutMs)
      running.add(counting)
      void counting.then(() => running.delete(counting))
      return counting
    },
    async settled() {
      while (running.size > 0) await Promise.all(running)
    },
    async close() {
      thread.stop()
    },
  }
}

interface WaitingCount {
  readonly countable: Countable
  readonly done: (reading: Reading | undefined) => void
}

/** The worker thread, which is started and stopped as needed, and the counts that wait for it. */
class TokenizerThread {
  private readonly log: (line: string) => void
  private readonly idleMs: number
  private readonly waiting = new Map<number, WaitingCount>()
  private worker: Worker | undefined
  private idleTimer: NodeJS.Timeout | undefined
  private lastId = 0
  private isMissing = false

  constructor(log: (line: string) => void, idleMs: number) {
    this.log = log
    this.idleMs = idleMs
  }

  count(countable: Countable, timeoutMs: number): Promise<Reading | undefined> {
    const worker = this.waiting.size < MAX_WAITING ? this.start() : undefined
    if (!worker) return Promise.resolve(undefined)
    const id = ++this.lastId
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.drop(worker), timeoutMs)
      const done = (reading: Reading | undefined) => {
        clearTimeout(timer)
        resolve(reading)
      }
      this.waiting.set(id, { countable, done })
      const { encoding, request, output } = countable
      worker.postMessage({ id, encoding, request, output } satisfies CountRequest)
    })
  }

  stop(): void {
    if (this.worker) this.drop(this.worker)
  }

  private start(): Worker | undefined {
    if (this.worker || this.isMissing) return this.worker
    const file = findWorker()
    if (file === undefined) {
      this.isMissing = true
      this.log(
        "the tokenizer is missing from this installation, so the usage of interrupted streams is estimated by their length",
      )
      return undefined
    }
    const worker = new Worker(file, { env: {}, execArgv: [] })
    worker.unref()
    worker.on("message", (result: CountResult) => this.receive(result))
    worker.on("error", (error) => {
      this.log(
        `the tokenizer failed (${error.message}), so the usage of interrupted streams is estimated by their length`,
      )
      this.drop(worker)
    })
    this.worker = worker
    return worker
  }

  private receive({ id, input, output }: CountResult): void {
    const { countable } = this.waiting.get(id) ?? {}
    this.finish(id, countable?.toReading({ input, output: Math.ceil(output * countable.outputScale) }))
  }

  private finish(id: number, reading: Reading | undefined): void {
    const count = this.waiting.get(id)
    this.waiting.delete(id)
    count?.done(reading)
    if (this.waiting.size > 0) return
    clearTimeout(this.idleTimer)
    this.idleTimer = setTimeout(() => this.stop(), this.idleMs).unref()
  }

  /** Terminates a thread that is idle, broken or late. The counts that wait for it have no result. */
  private drop(worker: Worker): void {
    if (worker !== this.worker) return
    this.worker = undefined
    for (const id of [...this.waiting.keys()]) this.finish(id, undefined)
    clearTimeout(this.idleTimer)
    void worker.terminate()
  }
}

/** The places of the worker, in a build and in a run from the sources. The bundler decides how deep this module is. */
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
