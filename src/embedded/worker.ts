import { parentPort, workerData } from "node:worker_threads"
import { PGlite } from "@electric-sql/pglite"
import { DurableFs, durableStartParams } from "./durable-fs.ts"
import type { FromWorker, ToWorker, WorkerData } from "./engine.ts"
import { readProgram } from "./program.ts"

/** Output is posted in pieces of about this size. */
const CHUNK_BYTES = 64 * 1024
/** The thread sleeps while more than this has not been taken by the client: its memory stays bounded. */
const MAX_UNTAKEN_BYTES = 4 * 1024 * 1024
/** What PostgreSQL logs when its backend ends. PGlite swallows that end and would spin at the next statement. */
const BACKEND_ENDED = /^\S+ \S+ \S+ \[\d+\] (?:PANIC|FATAL): {2}/

const { directory, counters } = workerData as WorkerData
const port = parentPort!
const post = (message: FromWorker, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)

const database = await PGlite.create({
  ...(await readProgram(new URL(".", import.meta.url), directory)),
  fs: new DurableFs(directory, () => Atomics.add(counters, 1, 1)),
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
  let held: Uint8Array[] = []
  let heldBytes = 0
  const send = () => {
    if (heldBytes === 0) return
    const chunk = new Uint8Array(heldBytes)
    let at = 0
    for (const piece of held) {
      chunk.set(piece, at)
      at += piece.length
    }
    const untaken = Atomics.add(counters, 0, heldBytes) + heldBytes
    held = []
    heldBytes = 0
    post({ type: "output", bytes: chunk }, [chunk.buffer])
    if (untaken > MAX_UNTAKEN_BYTES) waitUntilTaken()
  }
  const onRawData = (piece: Uint8Array) => {
    // The piece is a view of the wasm memory, which the next one overwrites.
    held.push(piece.slice())
    heldBytes += piece.length
    if (heldBytes >= CHUNK_BYTES) send()
  }
  await database.execProtocolRawStream(bytes, { syncToFs: false, onRawData })
  send()
}

function waitUntilTaken(): void {
  for (;;) {
    const untaken = Atomics.load(counters, 0)
    if (untaken <= MAX_UNTAKEN_BYTES) return
    Atomics.wait(counters, 0, untaken)
  }
}
