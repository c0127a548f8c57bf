import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { openTunnel, type Tunnel, type TunnelOptions } from "../../../src/gateway/sockets/tunnel.ts"
import type { Side, TunnelEnd, TunnelWatcher } from "../../../src/gateway/sockets/watcher.ts"
import { MemoryBudget } from "../../../src/kit/websocket/memory-budget.ts"
import { HANG_MS } from "../../support/until.ts"

/** A message as a watcher saw it: who sent it and its bytes, as latin1. */
export type Seen = readonly [from: Side, message: string]

/** A tunnel between two connections on the loopback interface, whose far ends belong to the test. */
export interface TestTunnel {
  readonly tunnel: Tunnel
  readonly client: FarEnd
  readonly provider: FarEnd
  /** The tunnel's own ends. */
  readonly near: { readonly client: Socket; readonly provider: Socket }
  readonly seen: readonly Seen[]
  readonly unread: readonly (readonly [Side, number])[]
  readonly ended: Promise<TunnelEnd>
  close(): void
}

/** One end of a connection. */
export interface FarEnd {
  readonly socket: Socket
  received(): Buffer
  /** Waits until as many bytes have arrived. */
  until(length: number): Promise<Buffer>
  /** Waits until the other side has ended. */
  readonly ended: Promise<unknown>
  readonly closed: Promise<unknown>
}

let listening: Promise<{ pair(): Promise<[Socket, Socket]> }> | undefined

/** Opens a connection on the loopback interface, and returns both ends. */
export async function connectPair(): Promise<[Socket, Socket]> {
  listening ??= listen()
  return (await listening).pair()
}

async function listen() {
  const server = createServer({ noDelay: true, allowHalfOpen: true }).listen(0, "127.0.0.1")
  server.unref()
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  // One connection is accepted at a time, so that the ends belong together.
  let last: Promise<unknown> = Promise.resolve()
  const open = async (): Promise<[Socket, Socket]> => {
    const accepted = once(server, "connection")
    const near = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
    const [[far]] = (await Promise.all([accepted, once(near, "connect")])) as [[Socket], unknown]
    return [near, far]
  }
  return {
    pair(): Promise<[Socket, Socket]> {
      const pair = last.then(open)
      last = pair.catch(() => {})
      return pair
    },
  }
}

export async function openTestTunnel(
  options: Partial<TunnelOptions> & { readonly watcher?: Partial<TunnelWatcher>; readonly isGated?: boolean } = {},
): Promise<TestTunnel> {
  const [[client, clientFar], [provider, providerFar]] = await Promise.all([connectPair(), connectPair()])
  return startTunnel({ client, provider }, { client: toFarEnd(clientFar), provider: toFarEnd(providerFar) }, options)
}

export function startTunnel(
  near: { readonly client: Socket; readonly provider: Socket },
  far: { readonly client: FarEnd; readonly provider: FarEnd },
  options: Partial<TunnelOptions> & { readonly watcher?: Partial<TunnelWatcher>; readonly isGated?: boolean } = {},
): TestTunnel {
  const seen: Seen[] = []
  const unread: (readonly [Side, number])[] = []
  const { watcher, isGated, ...rest } = options
  let onEnd: (end: TunnelEnd) => void
  const ended = new Promise<TunnelEnd>((resolve) => {
    onEnd = resolve
  })
  const tunnel = openTunnel(
    { ...near, extensions: undefined, writeTimeoutMs: HANG_MS, budget: new MemoryBudget(64 * 1024 * 1024), ...rest },
    {
      onMessage(from, message, isBinary) {
        seen.push([from, message.toString("latin1")])
        return watcher?.onMessage?.(from, message, isBinary) ?? "pass"
      },
      onUnread: (from, bytes) => void unread.push([from, bytes]),
      onEnd: (end) => onEnd(end),
    },
  )
  tunnel.isGated = isGated ?? false
  return {
    tunnel,
    ...far,
    near,
    seen,
    unread,
    ended,
    close: () => {
      for (const socket of [near.client, near.provider, far.client.socket, far.provider.socket]) socket.destroy()
    },
  }
}

export function toFarEnd(socket: Socket): FarEnd {
  const pieces: Buffer[] = []
  let length = 0
  let wake = () => {}
  socket.on("data", (bytes: Buffer) => {
    pieces.push(bytes)
    length += bytes.length
    wake()
  })
  socket.on("error", () => {})
  const closed = new Promise((resolve) => {
    socket.on("close", () => {
      resolve(undefined)
      wake()
    })
  })
  return {
    socket,
    received: () => Buffer.concat(pieces),
    async until(wanted) {
      while (length < wanted) {
        if (socket.destroyed) throw new Error(`closed after ${length} of ${wanted} bytes`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return Buffer.concat(pieces)
    },
    ended: new Promise((resolve) => socket.on("end", resolve)),
    closed,
  }
}

/** Writes bytes in the given pieces. Each arrives before the next is written. */
export async function writePieces(from: Socket, near: Socket, pieces: readonly Buffer[]): Promise<void> {
  let expected = near.bytesRead
  for (const piece of pieces) {
    if (piece.length === 0) continue
    expected += piece.length
    from.write(piece)
    while (near.bytesRead < expected) await once(near, "data")
  }
}

/** Returns one frame as it stands on the wire. */
export function frame(
  payload: Buffer | string,
  options: {
    readonly opcode?: number
    readonly isFinal?: boolean
    readonly isCompressed?: boolean
    readonly mask?: Buffer
  } = {},
): Buffer {
  const { opcode = 1, isFinal = true, isCompressed = false, mask } = options
  const bytes = Buffer.from(payload as string)
  const { length } = bytes
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + size)
  head[0] = (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode
  head[1] = (size === 0 ? length : size === 2 ? 126 : 127) | (mask ? 0x80 : 0)
  if (size === 2) head.writeUInt16BE(length, 2)
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2)
  if (!mask) return Buffer.concat([head, bytes])
  return Buffer.concat([head, mask, Buffer.from(bytes.map((byte, i) => byte ^ mask[i % 4]!))])
}

/** A mask that leaves no byte as it is. */
export const MASK = Buffer.from([0x8a, 0x31, 0xf7, 0x44])
