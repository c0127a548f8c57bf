import { Worker } from "node:worker_threads"
import { type FromWorker, SHARED, type ToWorker, type WorkerData } from "./engine/messages.ts"
import { createPendingCall, type OnOutput } from "./engine/pending-call.ts"

/** One PostgreSQL backend in a worker thread. */
export interface Engine {
  /**
   * Runs one unit of protocol messages. Only one unit may run at a time. `onOutput` receives the response in pieces.
   * When nothing arrives for `limitMs`, the statement is canceled. Rejects when the backend ends, or when it then shows
   * no sign of life; the engine is dead after that.
   */
  run(bytes: Buffer, onOutput: OnOutput, limitMs: number): Promise<void>
  /** Cancels the statement that runs (57014) at its next file operation. Does nothing when none runs. */
  cancel(): void
  /** The number of fsync calls so far, for files and directories. */
  syncCount(): number
  /** Resolves with the reason when the engine dies. */
  readonly died: Promise<string>
  isDead(): boolean
  /** Shuts PostgreSQL down cleanly. Only terminates the thread when the engine is dead. */
  close(): Promise<void>
}

/** Recovery of 32 MB of WAL takes about 1 s. Recovery after a crash during a large import can take minutes. */
const START_LIMIT_MS = 300_000
const CLOSE_LIMIT_MS = 30_000
/** A canceled statement lives as long as it reads or writes a file in this time. */
const SIGN_OF_LIFE_MS = 5_000

/**
 * Starts PostgreSQL on the cluster in `directory`. Runs initdb first when the directory is empty. `validUntil` is that of
 * the directory's lock.
 */
export async function startEngine(workerUrl: URL, directory: string, validUntil?: Float64Array): Promise<Engine> {
  const counters = new Int32Array(new SharedArrayBuffer(Object.keys(SHARED).length * Int32Array.BYTES_PER_ELEMENT))
  const worker = startThread(workerUrl, { directory, counters, validUntil })
  const watchdog = createWatchdog(counters)
  const call = createPendingCall((limitMs) =>
    watchdog.cancel() ? SIGN_OF_LIFE_MS : die(`the database did not answer for ${Math.round(limitMs / 1000)} s`),
  )
  const send = (message: ToWorker) => worker.postMessage(message)
  let isDead = false
  let announceDeath!: (reason: string) => void
  const died = new Promise<string>((resolve) => {
    announceDeath = resolve
  })

  const die = (reason: string): undefined => {
    if (isDead) return
    isDead = true
    announceDeath(reason)
    // A thread that sleeps until its output is consumed cannot be terminated, so it is woken first.
    consume(counters, Atomics.load(counters, SHARED.unconsumed))
    worker.terminate().catch(() => {})
    call.fail(new Error(reason))
  }
  worker.on("message", (message: FromWorker) => {
    if (isDead) return
    if (message.type === "ended") die(message.reason)
    else if (message.type !== "output") call.succeed()
    else {
      const { buffer, byteOffset, length } = message.bytes
      void call.receive(Buffer.from(buffer, byteOffset, length)).then(() => consume(counters, length))
    }
  })
  worker.on("error", (error) => die(error.message))
  worker.on("exit", () => die("the database's thread ended"))

  try {
    await call.start(START_LIMIT_MS)
  } catch (error) {
    // Two threads on one directory would destroy it, so this thread must be gone before the caller retries.
    await worker.terminate()
    throw error
  }
  const close = async () => {
    if (call.isActive()) die("the database was closed while a statement ran")
    if (!isDead) {
      const closed = call.start(CLOSE_LIMIT_MS)
      send({ type: "close" })
      await closed.catch(() => {})
      isDead = true
    }
    await worker.terminate()
  }
  return {
    run(bytes, onOutput, limitMs) {
      if (isDead) return Promise.reject(new Error("the database's thread ended"))
      if (call.isActive()) return Promise.reject(new Error("the database's thread runs one unit at a time"))
      watchdog.start()
      const done = call.start(limitMs, onOutput)
      send({ type: "run", bytes })
      return done
    },
    cancel: () => {
      if (call.isActive()) Atomics.store(counters, SHARED.cancel, 1)
    },
    syncCount: () => Atomics.load(counters, SHARED.syncs),
    died,
    isDead: () => isDead,
    close,
  }
}

/** Cancels a statement that exceeds its limit, and tells whether the backend still works on it. */
function createWatchdog(counters: Int32Array) {
  /** The number of file operations at the last cancellation. */
  let operationsSeen: number | undefined
  return {
    /** Begins with the next statement. */
    start(): void {
      operationsSeen = undefined
      Atomics.store(counters, SHARED.cancel, 0)
    },
    /** Cancels the statement. Returns false if nothing was read or written since the last time. */
    cancel(): boolean {
      const operations = Atomics.load(counters, SHARED.fileOperations)
      if (operations === operationsSeen) return false
      operationsSeen = operations
      Atomics.store(counters, SHARED.cancel, 1)
      return true
    },
  }
}

function startThread(workerUrl: URL, workerData: WorkerData): Worker {
  const worker = new Worker(workerUrl, { workerData, stdout: true, stderr: true, env: {}, execArgv: [] })
  // PGlite's own output must not reach the gateway's terminal.
  worker.stdout.resume()
  worker.stderr.resume()
  return worker
}

/** Reports to the worker thread that the main thread has consumed `bytes` of its output. */
function consume(counters: Int32Array, bytes: number): void {
  Atomics.sub(counters, SHARED.unconsumed, bytes)
  Atomics.notify(counters, SHARED.unconsumed)
}
