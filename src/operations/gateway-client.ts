import { getText, type TextAnswer } from "../kit/get-text.ts"

const MAX_BODY_LENGTH = 10_000

/** Requests one of the gateway's own pages, such as `/readyz`. Never rejects. */
export function fetchOwnPage(origin: string, path: string, timeoutMs: number): Promise<TextAnswer> {
  return getText(`${origin}${path}`, { timeoutMs, maxLength: MAX_BODY_LENGTH })
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
