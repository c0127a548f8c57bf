import { createServer, type Socket } from "node:net"

/** A provider that works with bytes: it sends any response, valid or not, and shows the exact bytes that it received. */
export interface OddUpstream {
  readonly origin: string
  readonly port: number
  /** All received bytes by connection, as latin1. */
  readonly received: readonly string[]
  /** The complete requests in their order. */
  readonly requests: readonly string[]
  /** The number of accepted connections. */
  readonly accepted: number
  /** The number of open connections. */
  readonly open: number
  close(): Promise<void>
}

/** `answer` is called with each request whose headers have arrived. It can write, wait or destroy. */
export async function startOddUpstream(
  answer: (socket: Socket, request: string, count: number) => void,
): Promise<OddUpstream> {
  const received: string[] = []
  const requests: string[] = []
  const sockets = new Set<Socket>()
  let count = 0
  const server = createServer({ noDelay: true }, (socket) => {
    const index = received.push("") - 1
    let unanswered = ""
    sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
    socket.on("data", (bytes) => {
      const text = bytes.toString("latin1")
      received[index] += text
      unanswered += text
      if (!/\r\n\r\n/.test(unanswered) || !isWhole(unanswered)) return
      const request = unanswered
      unanswered = ""
      requests.push(request)
      answer(socket, request, count++)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as { port: number }
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    received,
    requests,
    get accepted() {
      return received.length
    },
    get open() {
      return sockets.size
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function isWhole(request: string): boolean {
  const end = request.indexOf("\r\n\r\n") + 4
  const length = /^content-length: *(\d+)/im.exec(request.slice(0, end))?.[1]
  return length === undefined || request.length - end >= Number(length)
}

/** Returns the header lines of a request, without the request line. */
export function headLines(request: string): string[] {
  return request.slice(0, request.indexOf("\r\n\r\n")).split("\r\n").slice(1)
}

export const OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
