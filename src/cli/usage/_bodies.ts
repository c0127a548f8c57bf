import type { Bodies, ReadBody } from "../../bodies/read.ts"
import { indentJson } from "../../kit/json/indent.ts"
import { printable } from "../_text.ts"

/** Which bodies of a request somebody asked for. */
export type Sides = readonly ("request" | "response")[]

/** `--body` is both; `--request` or `--response` that one alone. Empty: none was asked for. */
export function toSides(args: { body?: boolean; request?: boolean; response?: boolean }): Sides {
  const named = (["request", "response"] as const).filter((side) => args[side] === true)
  return named.length === 0 && args.body === true ? ["request", "response"] : named
}

/** For a terminal: JSON over several lines, without control characters. */
export function renderBodies(bodies: Bodies, sides: Sides): string {
  return sides.map((side) => `${TITLES[side]}${renderBody(bodies[side])}`).join("\n\n")
}

const TITLES = { request: "Request body", response: "Response body" } as const

function renderBody(body: ReadBody): string {
  if (body.kind === "none") return ": not kept"
  const cut = body.isTruncated ? " (only its beginning is kept)" : ""
  if (body.kind === "binary") return `${cut}: ${Buffer.byteLength(body.base64, "base64")} bytes that are no text`
  return `${cut}:\n${printable(body.kind === "json" ? indentJson(body.text) : body.text.trimEnd(), "lines")}`
}

/** For a file or a program: the bytes as they were; nothing for a body that was not kept. */
export function toBytes(body: ReadBody): Buffer {
  if (body.kind === "none") return Buffer.alloc(0)
  return body.kind === "binary" ? Buffer.from(body.base64, "base64") : Buffer.from(body.text)
}

/** Under the names of the columns, whatever the store: text as it was, what is no text as a `data:` URL. */
export function toBodyObject(bodies: Bodies, sides: Sides): Record<string, unknown> {
  const texts = sides.map((side) => [`${side}_body`, toColumn(bodies[side])])
  const cut = sides.filter((side) => {
    const body = bodies[side]
    return body.kind !== "none" && body.isTruncated
  })
  return { ...Object.fromEntries(texts), bodies_from: bodies.source, bodies_cut: cut }
}

function toColumn(body: ReadBody): string | null {
  if (body.kind === "none") return null
  return body.kind === "binary" ? `data:application/octet-stream;base64,${body.base64}` : body.text
}
