import { get } from "node:http"

/** What a gateway says of itself. `undefined` status: nobody answers there, or not in time. */
export interface Said {
  readonly status: number | undefined
  readonly body: string
}

const MAX_BODY = 10_000

/** Asks one of the gateway's own pages. Never throws. */
export function askGateway(origin: string, path: string, timeoutMs: number): Promise<Said> {
  return new Promise((resolve) => {
    const nobody = (): void => resolve({ status: undefined, body: "" })
    const request = get(`${origin}${path}`, { agent: false, timeout: timeoutMs }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (piece: string) => {
        if (body.length < MAX_BODY) body += piece
      })
      response.once("end", () => resolve({ status: response.statusCode, body }))
      response.once("error", nobody)
    })
    // The whole of it, not only its silences.
    const timer = setTimeout(() => request.destroy(new Error("too late")), timeoutMs)
    request.once("timeout", () => request.destroy(new Error("too late")))
    request.once("error", nobody)
    request.once("close", () => clearTimeout(timer))
  })
}

/** An address that this machine can call: a gateway that listens everywhere is asked on the loopback. */
export function toLocalOrigin({ host, port }: { readonly host: string; readonly port: number }): string {
  const callable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" || host === "[::]" ? "[::1]" : host
  return `http://${callable.includes(":") && !callable.startsWith("[") ? `[${callable}]` : callable}:${port}`
}
