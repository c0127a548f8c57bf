import { indentJson } from "../../kit/json/indent.ts"
import type { Bodies, ReadBody, Sides } from "../../operations/requests/bodies.ts"
import { printMessage, printPiece } from "../_print.ts"
import { printable } from "../_text.ts"

/** Returns the bodies that the options ask for: `--body` means both, `--request` or `--response` only that one. */
export function toSides(args: { body?: boolean; request?: boolean; response?: boolean }): Sides {
  const named = (["request", "response"] as const).filter((side) => args[side] === true)
  return named.length === 0 && args.body === true ? ["request", "response"] : named
}

/** Renders bodies for a terminal: JSON over several lines, without control characters. */
export function renderBodies(bodies: Bodies, sides: Sides): string {
  const missing = bodies.source === "unreadable" ? ": cannot be read" : ": not stored"
  return sides.map((side) => `${TITLES[side]}${renderBody(bodies[side], missing)}`).join("\n\n")
}

/** Prints bodies for a file or a program: their bytes as they were. */
export async function printBytes(bodies: Bodies, sides: Sides): Promise<void> {
  const isNothing = bodies.source !== "unreadable" && sides.every((side) => bodies[side].kind === "none")
  if (isNothing) printMessage("note: no body of this request is stored")
  for (const side of sides) {
    const bytes = toBytes(bodies[side])
    await printPiece(bytes)
    // A single body is printed without anything else.
    if (sides.length > 1 && bytes.length > 0 && bytes.at(-1) !== 0x0a) await printPiece("\n")
  }
}

const TITLES = { request: "Request body", response: "Response body" } as const

function renderBody(body: ReadBody, missing: string): string {
  if (body.kind === "none") return missing
  const note = body.isTruncated ? " (only its beginning is stored)" : ""
  if (body.kind === "binary") return `${note}: ${Buffer.byteLength(body.base64, "base64")} bytes that are not text`
  return `${note}:\n${printable(body.kind === "json" ? indentJson(body.text) : body.text.trimEnd(), "lines")}`
}

function toBytes(body: ReadBody): Buffer {
  if (body.kind === "none") return Buffer.alloc(0)
  return body.kind === "binary" ? Buffer.from(body.base64, "base64") : Buffer.from(body.text)
}
