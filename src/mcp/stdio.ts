import type { Readable, Writable } from "node:stream"
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio"
import type { CallRoute } from "./call-tool.ts"
import { createMcpServer } from "./server.ts"

interface StdioOptions {
  readonly version: string
  readonly call: CallRoute
  readonly timeZone: string
  readonly stdin: Readable
  readonly stdout: Writable
  /** Aborts when the server is to end before its stdin does. */
  readonly signal: AbortSignal
}

/** Speaks MCP over stdin and stdout until stdin ends. Calls are answered one after the other: each opens what it needs. */
export async function serveMcpOverStdio({
  version,
  call,
  timeZone,
  stdin,
  stdout,
  signal,
}: StdioOptions): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const event of ["end", "close", "error"]) stdin.once(event, () => resolve())
    signal.addEventListener("abort", () => resolve(), { once: true })
  })
  const inOrder = createQueue(call)
  const server = serveStdio(() => createMcpServer({ version, call: inOrder, timeZone }), {
    transport: new StdioServerTransport(stdin, stdout),
  })
  await ended
  await server.close()
}

/** An embedded database that no gateway has open can be opened by one call at a time. */
function createQueue(call: CallRoute): CallRoute {
  let last: Promise<unknown> = Promise.resolve()
  return (...args) => {
    const next = last.then(() => call(...args))
    last = next.catch(() => {})
    return next
  }
}
