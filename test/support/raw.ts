import { connect, type Socket } from "node:net"

/** A connection for raw bytes: it sends what no client library would send, and shows exactly what came back. */
export interface RawClient {
  readonly socket: Socket
  send(text: string | Buffer): void
  /** All received bytes so far, as latin1. */
  received(): string
  /** Waits until the received bytes match. */
  until(pattern: RegExp): Promise<string>
  /** Waits until the other side has closed the connection. Returns all received bytes. */
  closed(): Promise<string>
  close(): void
}

export async function connectRaw(port: number): Promise<RawClient> {
  const socket = connect(port, "127.0.0.1")
  let text = ""
  let isClosed = false
  const watchers = new Set<() => void>()
  const wake = () => {
    for (const watcher of watchers) watcher()
  }
  socket.on("data", (bytes) => {
    text += bytes.toString("latin1")
    wake()
  })
  socket.on("error", () => {})
  socket.on("close", () => {
    isClosed = true
    wake()
  })
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject))
  const wait = (done: () => boolean, what: string) =>
    new Promise<string>((resolve, reject) => {
      const watcher = () => {
        if (done()) resolve(text)
        else if (isClosed) reject(new Error(`closed before ${what}; came: ${text.slice(0, 500)}`))
        else return
        watchers.delete(watcher)
      }
      watchers.add(watcher)
      watcher()
    })
  return {
    socket,
    send: (bytes) => void socket.write(bytes as Buffer),
    received: () => text,
    until: (pattern) => wait(() => pattern.test(text), String(pattern)),
    closed: () => wait(() => isClosed, "its end"),
    close: () => socket.destroy(),
  }
}
