import { Worker } from "node:worker_threads"

export interface WorkerData {
  readonly directory: string
  /** Shared: `[0]` bytes of output not yet taken, `[1]` fsync calls so far. */
  readonly counters: Int32Array
}

export type ToWorker = { readonly type: "run"; readonly bytes: Uint8Array } | { readonly type: "close" }

export type FromWorker =
  | { readonly type: "ready" | "done" | "closed" }
  | { readonly type: "output"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "ended"; readonly reason: string }

/** One PostgreSQL backend in a thread of its own. */
export interface Engine {
  /**
   * Runs one unit of protocol messages; one at a time. `onOutput` gets the answer in pieces, and the next ones wait for
   * its promise. Rejects, after which the engine is dead, when nothing came for `limitMs` or the backend ended.
   */
  run(bytes: Buffer, onOutput: (chunk: Buffer) => Promise<void> | undefined, limitMs: number): Promise<void>
  /** Files and directories synced to disk so far. */
  syncCount(): number
  /** Settles, with the reason, when the engine is dead. */
  readonly died: Promise<string>
  isDead(): boolean
  /** Shuts PostgreSQL down in order; a dead engine is only ended. */
  close(): Promise<void>
}

/** A start with recovery of 32 MB of WAL takes a second; one after an unclean end of a large import may take minutes. */
const START_LIMIT_MS = 300_000
const CLOSE_LIMIT_MS = 30_000

/** Starts PostgreSQL on `directory` (made by initdb if it is empty) by the worker file at `workerUrl`. */
export async function startEngine(workerUrl: URL, directory: string): Promise<Engine> {
  const counters = new Int32Array(new SharedArrayBuffer(8))
  const workerData: WorkerData = { directory, counters }
  const worker = new Worker(workerUrl, { workerData, stdout: true, stderr: true, env: {}, execArgv: [] })
  // What PGlite prints is not for the terminal of whoever runs the gateway.
  worker.stdout.resume()
  worker.stderr.resume()

  let isDead = false
  let waiting:
    | { finish(): void; fail(reason: Error): void; onOutput?: (chunk: Buffer) => Promise<void> | undefined }
    | undefined
  let timer: NodeJS.Timeout | undefined
  const { promise: died, resolve: announceDeath } = defer<string>()

  const die = (reason: string) => {
    if (isDead) return
    isDead = true
    clearTimeout(timer)
    announceDeath(reason)
    // Wakes a thread that sleeps on a client, or it could not be ended.
    taken(Atomics.load(counters, 0))
    worker.terminate().catch(() => {})
    waiting?.fail(new Error(reason))
    waiting = undefined
  }
  const taken = (bytes: number) => {
    Atomics.sub(counters, 0, bytes)
    Atomics.notify(counters, 0)
  }
  const settle = () => {
    clearTimeout(timer)
    const { finish } = waiting ?? {}
    waiting = undefined
    finish?.()
  }
  const expect = (limitMs: number, onOutput?: (chunk: Buffer) => Promise<void> | undefined) => {
    timer = setTimeout(() => die(`the database did not answer for ${Math.round(limitMs / 1000)} s`), limitMs)
    const { promise, resolve, reject } = defer<void>()
    waiting = { finish: () => resolve(undefined), fail: reject, onOutput }
    return promise
  }
  const takeOutput = async (bytes: Uint8Array<ArrayBuffer>) => {
    timer?.refresh()
    await waiting?.onOutput?.(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    taken(bytes.length)
    timer?.refresh()
  }

  worker.on("message", (message: FromWorker) => {
    if (isDead) return
    if (message.type === "output") void takeOutput(message.bytes)
    else if (message.type === "ended") die(message.reason)
    else settle()
  })
  worker.on("error", (error) => die(error.message))
  worker.on("exit", () => die("the database's thread ended"))

  try {
    await expect(START_LIMIT_MS)
  } catch (error) {
    // Two threads on one directory would destroy it: this one is gone before anybody tries again.
    await worker.terminate()
    throw error
  }

  return {
    run(bytes, onOutput, limitMs) {
      if (isDead) return Promise.reject(new Error("the database's thread ended"))
      if (waiting) return Promise.reject(new Error("the database's thread runs one unit at a time"))
      const done = expect(limitMs, onOutput)
      worker.postMessage({ type: "run", bytes } satisfies ToWorker)
      return done
    },
    syncCount: () => Atomics.load(counters, 1),
    died,
    isDead: () => isDead,
    async close() {
      if (!isDead) {
        if (waiting) die("closed while it was working")
      }
      if (!isDead) {
        const closed = expect(CLOSE_LIMIT_MS)
        worker.postMessage({ type: "close" } satisfies ToWorker)
        await closed.catch(() => {})
        isDead = true
      }
      await worker.terminate()
    },
  }
}

function defer<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
