import type { Headers } from "../core/call.ts"

/** The first value of a header; undefined: missing or empty. */
export function headerOf(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  const first = typeof value === "object" ? value[0] : value
  return first === "" ? undefined : first
}

/** The token of `Authorization: Bearer …`. */
export function bearerOf(headers: Headers): string | undefined {
  const value = headerOf(headers, "authorization")
  return value === undefined ? undefined : /^bearer\s+(\S.*)$/i.exec(value)?.[1]?.trim()
}
