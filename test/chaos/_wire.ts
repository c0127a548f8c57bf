import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** A proxy to the database that can be silenced, slowed down, or pointed elsewhere. */
export interface Wire {
  readonly port: number
  cut(): void
  /** Adds half a second of latency, give or take 0.3 s, and limits it to 20 KB per second in pieces of some bytes. */
  narrow(): void
  mend(): void
  /** Breaks all connections. New ones go to this port. */
  leadTo(port: number): void
  close(): Promise<void>
}

const LATENCY_MS = { least: 200, most: 800 }
const TICK_MS = 20
const BYTES_PER_TICK = 400 // 20 KB a second
const MAX_PIECE = 50

export async function startWire(to: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let target = to
  let isTruncated = false
  let isNarrow = false
  const server = createServer((client) => {
    sockets.add(client)
    client.on("error", () => {}).on("close", () => sockets.delete(client))
    if (isTruncated) return // accepted, but never answered
    const upstream = connect(target, "127.0.0.1")
    sockets.add(upstream)
    upstream.on("error", () => client.destroy()).on("close", () => sockets.delete(upstream) && client.destroy())
    client.on("close", () => upstream.destroy())
    if (isNarrow) {
      trickle(client, upstream)
      trickle(upstream, client)
    } else client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isTruncated = true
      for (const socket of sockets) socket.unpipe().pause()
    },
    narrow() {
      isNarrow = true
      breakAll() // new connections are slow
    },
    mend() {
      isTruncated = isNarrow = false
      breakAll()
    },
    leadTo(port) {
      target = port
      breakAll()
    },
    async close() {
      breakAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Passes bytes on late, slowly and in small pieces, in their order. */
function trickle(from: Socket, to: Socket): void {
  to.setNoDelay(true)
  const waiting: { bytes: Buffer; readonly at: number }[] = []
  from.on("data", (bytes) => {
    const at = performance.now() + LATENCY_MS.least + Math.random() * (LATENCY_MS.most - LATENCY_MS.least)
    waiting.push({ bytes, at })
    from.pause() // what does not fit stays with the sender
  })
  const timer = setInterval(() => {
    let left = BYTES_PER_TICK
    while (left > 0 && waiting[0] !== undefined && waiting[0].at <= performance.now()) {
      const { bytes } = waiting[0]
      const piece = bytes.subarray(0, Math.min(left, 1 + Math.floor(Math.random() * MAX_PIECE)))
      to.write(piece)
      left -= piece.length
      waiting[0].bytes = bytes.subarray(piece.length)
      if (waiting[0].bytes.length === 0) waiting.shift()
    }
    if (waiting.length === 0) from.resume()
  }, TICK_MS)
  from.once("end", () => to.end())
  from.once("close", () => clearInterval(timer))
}
