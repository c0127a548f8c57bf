import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createResponse, type DemoResponse } from "./responses.ts"

/** The demo rejects larger request bodies. */
const MAX_BODY_BYTES = 4 << 20
/** The pause between the pieces of a stream, which makes streaming visible. */
const PIECE_INTERVAL_MS = 25

export interface DemoProvider {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string
  close(): Promise<void>
}

/**
 * Starts a fake provider on the loopback interface. By path, it acts as OpenAI, Anthropic or Gemini. It responds with
 * one sentence, counts one token per four characters, and accepts any credential.
 */
export async function startDemoProvider(): Promise<DemoProvider> {
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => void server.once("error", reject).listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > MAX_BODY_BYTES) return void response.writeHead(413).end()
    pieces.push(piece)
  }
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://demo")
  const body = parse(Buffer.concat(pieces).toString("utf8"))
  await send(createResponse({ path: pathname, isSse: searchParams.get("alt") === "sse", body }), response)
}

async function send({ status, contentType, pieces }: DemoResponse, response: ServerResponse): Promise<void> {
  const [first = "", ...more] = pieces
  if (more.length === 0) {
    response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(first) }).end(first)
    return
  }
  response.writeHead(status, { "content-type": contentType })
  response.write(first)
  for (const piece of more) {
    await new Promise((resolve) => setTimeout(resolve, PIECE_INTERVAL_MS))
    if (response.destroyed) return
    response.write(piece)
  }
  response.end()
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
