import type { Call, Caller } from "../../core/call.ts"
import { GatewayError } from "../../core/errors.ts"
import type { Dialect } from "../../providers/_dialect.ts"
import { createCounters } from "../counters.ts"
import { createAttribution } from "./attribute.ts"

type Metadata = Readonly<Record<string, string>>

/** The names that the body of a request may have, so that they are missing only when it has been read. */
const FROM_BODY: ReadonlySet<string> = new Set(["User-Id", "Session-Id"])

/**
 * Returns true for a request to which required metadata applies: one that can cost something. Tools list models before
 * anybody can configure their headers.
 */
export function needsMetadata(
  { metadata: key }: Caller,
  { routes }: Pick<Dialect, "routes">,
  method: string | undefined,
  path: string,
): boolean {
  if (key === undefined || key.required.length === 0) return false
  const { operation } = routes.operations.find(method ?? "GET", path)
  return operation !== "free" && operation !== "stored"
}

/**
 * Rejects a request whose key requires metadata that it lacks.
 *
 * @throws GatewayError `missing_metadata`, with the header to send
 */
export function checkMetadata(metadata: Metadata, { metadata: key }: Caller): void {
  const missing = key?.required.find((name) => isBlank(metadata[name]))
  if (missing !== undefined) throw toError(missing)
}

/**
 * Creates the check that rejects a request already when its head has arrived, if its body cannot have what is missing. A
 * rejected request then costs no upload.
 */
export function createHeadCheck(
  settings: Parameters<typeof createAttribution>[0],
): (head: Pick<Call, "rawHeaders" | "headers">, caller: Caller) => void {
  // The metadata of the head is read again with that of the body, and counted then.
  const attribute = createAttribution(settings, createCounters())
  return (head, { metadata: key }) => {
    if (key === undefined) return
    const metadata = attribute(head, undefined, key)
    const missing = key.required.find((name) => isBlank(metadata[name]) && !FROM_BODY.has(name))
    if (missing !== undefined) throw toError(missing)
  }
}

/** Returns true if a value says nothing: an empty header counts as none, however often it is sent. */
function isBlank(value: string | undefined): boolean {
  return value === undefined || !/[^\s,]/.test(value)
}

function toError(name: string): GatewayError {
  return new GatewayError(
    "missing_metadata",
    `This API key requires the metadata ${name}. Send it in the header X-Majordomo-${name}.`,
  )
}
