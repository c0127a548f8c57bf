import { parentPort, workerData } from "node:worker_threads"
import { PGlite } from "@electric-sql/pglite"
import { DurableFs, durableStartParams } from "./durable-fs.ts"
import { createFence } from "./fence.ts"
import { type FromWorker, SHARED, type ToWorker, type WorkerData } from "./messages.ts"
import { readProgram } from "./program.ts"

/** Output is posted in chunks of about this size. */
const CHUNK_BYTES = 64 * 1024
/** The thread sleeps while more output than this has not been consumed, which bounds its memory. */
const MAX_UNCONSUMED_BYTES = 4 * 1024 * 1024
/** A line that PostgreSQL logs when its backend ends. PGlite hides that end and would spin at the next statement. */
const BACKEND_ENDED = /^\S+ \S+ \S+ \[\d+\] (?:PANIC|FATAL): {2}/

const { directory, counters, validUntil } = workerData as WorkerData
const port = parentPort!
const post = (message: FromWorker, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)

const files = new DurableFs(directory, {
  onSync: () => Atomics.add(counters, SHARED.syncs, 1),
  onFileOperation: () => {
    Atomics.add(counters, SHARED.fileOperations, 1)
    return Atomics.load(counters, SHARED.cancel) === 1 && Atomics.exchange(counters, SHARED.cancel, 0) === 1
  },
  beforeChange: createFence(validUntil),
})
const database = await PGlite.create({
  ...(await readProgram(new URL(".", import.meta.url), directory)),
  fs: files,
  startParams: durableStartParams(),
  onStderr: (line) => {
    if (BACKEND_ENDED.test(line)) post({ type: "ended", reason: line.replace(BACKEND_ENDED, "") })
    return true
  },
})

port.on("message", (message: ToWorker) => {
  if (message.type === "close") {
    database.close().then(() => post({ type: "closed" }))
    return
  }
  run(message.bytes).then(
    () => post({ type: "done" }),
    (error: unknown) => post({ type: "ended", reason: String(error) }),
  )
})
post({ type: "ready" })

async function run(bytes: Uint8Array): Promise<void> {
  let pieces: Uint8Array[] = []
  let pieceBytes = 0
  const flush = () => {
    if (pieceBytes === 0) return
    const chunk = new Uint8Array(pieceBytes)
    let at = 0
    for (const piece of pieces) {
      chunk.set(piece, at)
      at += piece.length
    }
    const unconsumed = Atomics.add(counters, SHARED.unconsumed, pieceBytes) + pieceBytes
    pieces = []
    pieceBytes = 0
    post({ type: "output", bytes: chunk }, [chunk.buffer])
    if (unconsumed > MAX_UNCONSUMED_BYTES) waitUntilConsumed()
  }
  const onRawData = (piece: Uint8Array) => {
    // The piece is a view of the WebAssembly memory, which the next piece overwrites.
    pieces.push(piece.slice())
    pieceBytes += piece.length
    if (pieceBytes >= CHUNK_BYTES) flush()
  }
  await database.execProtocolRawStream(bytes, { syncToFs: false, onRawData })
  // A statement that ended before it noticed must not pass its cancellation on to the next one.
  files.setCancelPending(false)
  flush()
}

function waitUntilConsumed(): void {
  for (;;) {
    const unconsumed = Atomics.load(counters, SHARED.unconsumed)
    if (unconsumed <= MAX_UNCONSUMED_BYTES) return
    Atomics.wait(counters, SHARED.unconsumed, unconsumed)
  }
}
