import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

/** One request that a receiver got. */
export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly json: Readonly<Record<string, unknown>>
}

/** How a receiver answers: a status with a text and headers, never, or by breaking the connection. */
export type Answer =
  | { readonly status: number; readonly text?: string; readonly headers?: Readonly<Record<string, string>> }
  | "never"
  | "reset"

export interface Receiver {
  /** With a secret path. */
  readonly url: string
  readonly origin: string
  readonly received: readonly Received[]
  /** Answers the next requests so, and later ones with 200. */
  next(...answers: readonly Answer[]): void
  /** Answers all requests so. */
  always(answer: Answer): void
  close(): Promise<void>
}

export const SECRET_PATH = "/services/T0KENPATH/B0KENPATH"

/** Starts a web server that keeps what it is sent, as a chat service or a webhook receives it. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const queue: Answer[] = []
  let standard: Answer = { status: 200, text: "ok" }
  const server = createServer(async (request, response) => {
    const body = await text(request)
    received.push({ path: request.url ?? "", headers: request.headers, body, json: JSON.parse(body) })
    answer(response, queue.shift() ?? standard)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    url: origin + SECRET_PATH,
    received,
    next: (...answers) => void queue.push(...answers),
    always(each) {
      standard = each
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answer(response: ServerResponse, given: Answer): void {
  if (given === "never") return
  if (given === "reset") {
    response.socket?.resetAndDestroy()
    return
  }
  response.writeHead(given.status, given.headers).end(given.text ?? "")
}
