import type { Headers } from "../../core/call.ts"
import { createTable } from "../../core/table.ts"

/** A trace of W3C Trace Context. Version ff is invalid, and an id of zeros says that there is none. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/
/** W3C Baggage allows this much. */
const MAX_BAGGAGE_LENGTH = 8192

/** The metadata name of each key of the baggage that is read: those of OpenTelemetry and Langfuse, and our own. */
const BAGGAGE_NAMES: Readonly<Record<string, keyof Baggage>> = createTable({
  "user.id": "User-Id",
  "enduser.id": "User-Id",
  langfuse_user_id: "User-Id",
  "session.id": "Session-Id",
  langfuse_session_id: "Session-Id",
  "span.path": "Span-Path",
  "span.name": "Span-Name",
})

/** The values in a request's baggage, by the names under which they are stored. */
interface Baggage {
  "User-Id"?: string
  "Session-Id"?: string
  "Span-Path"?: string
  "Span-Name"?: string
}

/** Returns the id of the trace to which a request belongs; undefined: its `traceparent` is missing or not valid. */
export function readTraceId({ traceparent }: Headers): string | undefined {
  return typeof traceparent === "string" ? TRACEPARENT.exec(traceparent)?.[1] : undefined
}

/** Reads the known keys of a request's baggage; undefined: it has no baggage. The first value of a name counts. */
export function readBaggage({ baggage }: Headers): Baggage | undefined {
  if (typeof baggage !== "string") return undefined
  const found: Baggage = {}
  for (const entry of baggage.slice(0, MAX_BAGGAGE_LENGTH).split(",")) {
    const end = entry.indexOf("=")
    const key = entry.slice(0, Math.max(0, end)).trim()
    if (!Object.hasOwn(BAGGAGE_NAMES, key)) continue
    // Properties of the entry follow a semicolon.
    const [value = ""] = entry.slice(end + 1).split(";", 1)
    found[BAGGAGE_NAMES[key]!] ??= decode(value.trim())
  }
  return found
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
