import { get } from "node:http"

/** The answer of a gateway about itself. `status` is undefined if no gateway answered in time. */
interface OwnAnswer {
  readonly status: number | undefined
  readonly body: string
}

const MAX_BODY_LENGTH = 10_000

/** Requests one of the gateway's own pages, such as `/readyz`. Never rejects. */
export function fetchOwnPage(origin: string, path: string, timeoutMs: number): Promise<OwnAnswer> {
  return new Promise((resolve) => {
    const fail = (): void => resolve({ status: undefined, body: "" })
    const request = get(`${origin}${path}`, { agent: false, timeout: timeoutMs }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (piece: string) => {
        if (body.length < MAX_BODY_LENGTH) body += piece
      })
      response.once("end", () => resolve({ status: response.statusCode, body }))
      response.once("error", fail)
    })
    const abort = () => request.destroy(new Error("timeout"))
    // The option `timeout` limits only the time without activity; this timer limits the whole request.
    const timer = setTimeout(abort, timeoutMs)
    request.once("timeout", abort)
    request.once("error", fail)
    request.once("close", () => clearTimeout(timer))
  })
}

/** Returns what the page `/readyz` says. A body of another form says nothing. */
export function readReadiness(body: string): {
  readonly error: string | undefined
  readonly warnings: readonly string[]
} {
  try {
    const { error, warnings = [] } = JSON.parse(body) as { error?: unknown; warnings?: { message: unknown }[] }
    return {
      error: typeof error === "string" ? error : undefined,
      warnings: warnings.map(({ message }) => String(message)),
    }
  } catch {
    return { error: undefined, warnings: [] }
  }
}

/** Returns the origin at which this machine reaches a gateway. One that listens on all addresses has the loopback one. */
export function toLocalOrigin({ host, port }: { readonly host: string; readonly port: number }): string {
  const callable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" || host === "[::]" ? "[::1]" : host
  return `http://${callable.includes(":") && !callable.startsWith("[") ? `[${callable}]` : callable}:${port}`
}
