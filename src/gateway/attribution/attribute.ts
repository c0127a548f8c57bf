import type { Call, Headers, KeyMetadata } from "../../core/call.ts"
import { truncateText } from "../../core/text.ts"
import type { RequestAttribution } from "../../providers/_attribution.ts"
import type { Counters } from "../counters.ts"
import { toHeaderText } from "../header-text.ts"
import { NO_METADATA, readMetadata } from "../metadata.ts"
import { createClientNames } from "./client-name.ts"
import { createSafeText } from "./safe-text.ts"
import { readBaggage, readTraceId } from "./trace-context.ts"

/** Which metadata is read from requests that do not send it as `X-Majordomo-*`. */
export interface AttributionSettings {
  readonly client: boolean
  readonly user: boolean
  readonly session: boolean
  readonly trace: boolean
}

interface Options {
  readonly attribution: AttributionSettings
  readonly maxMetadataKeys: number
  readonly maxMetadataValueLength: number
}

type Metadata = Readonly<Record<string, string>>

type Request = Pick<Call, "rawHeaders" | "headers">

/**
 * The headers by which programs name a session, the most precise first: Claude Code, Codex (two generations), opencode
 * (two), Copilot CLI, Kilo Code, Open WebUI, Copilot Chat, LiteLLM and Helicone.
 */
const SESSION_HEADERS = [
  "x-claude-code-session-id",
  "session-id",
  "session_id",
  "x-session-id",
  "x-opencode-session",
  "x-session-affinity",
  "conversation_id",
  "x-client-session-id",
  "x-kilocode-taskid",
  "x-openwebui-chat-id",
  "x-interaction-id",
  "x-litellm-session-id",
  "helicone-session-id",
]
/** The headers by which programs name a user: Open WebUI, Helicone, and Gemini CLI, which names its installation. */
const USER_HEADERS = ["x-openwebui-user-id", "helicone-user-id", "x-gemini-api-privileged-user-id"]

/**
 * Creates the function that returns all metadata of a request. If there are several values for a name, the first of
 * these counts: the key's locked value, the client's `X-Majordomo-*` header, what the body or another header says, the
 * key's default. The function never throws, and the provider gets the same bytes as without it.
 */
export function createAttribution(
  { attribution, maxMetadataKeys: maxKeys, maxMetadataValueLength: maxValueLength }: Options,
  counters: Pick<Counters, "metadataTruncated" | "metadataOverridden">,
): (request: Request, body: RequestAttribution | undefined, key: KeyMetadata | undefined) => Metadata {
  const limits = { maxKeys, maxValueLength }
  const nameClient = createClientNames()
  const toSafeText = createSafeText()
  const ofClientAlone = new Map<string, Metadata>()

  /** Most requests have no metadata but their client, so that those of one client share an object. */
  function toClientAlone(client: string): Metadata {
    let metadata = ofClientAlone.get(client)
    if (metadata === undefined) {
      metadata = Object.freeze(Object.assign(Object.create(null), { Client: client }) as Metadata)
      ofClientAlone.set(client, metadata)
    }
    return metadata
  }

  function put(metadata: Record<string, string>, name: string, value: string | undefined): void {
    if (value === undefined || metadata[name] !== undefined) return
    const safe = toSafeText(value)
    if (safe === "") return
    if (safe.length > maxValueLength) counters.metadataTruncated++
    metadata[name] = truncateText(safe, maxValueLength)
  }

  return ({ rawHeaders, headers }, body, key) => {
    const explicit = readMetadata(rawHeaders, limits, counters)
    const client = attribution.client ? nameClient(headers) : undefined
    const trace = attribution.trace ? readTraceId(headers) : undefined
    const baggage = attribution.trace ? readBaggage(headers) : undefined
    const user = attribution.user ? (body?.user ?? readFirst(headers, USER_HEADERS) ?? baggage?.["User-Id"]) : undefined
    const session = attribution.session
      ? (readFirst(headers, SESSION_HEADERS) ?? body?.session ?? baggage?.["Session-Id"])
      : undefined
    const hasMore = trace !== undefined || user !== undefined || session !== undefined || baggage !== undefined
    if (explicit === NO_METADATA && key === undefined && !hasMore) {
      return client === undefined ? NO_METADATA : toClientAlone(client)
    }
    const metadata = (explicit === NO_METADATA ? Object.create(null) : explicit) as Record<string, string>
    if (key !== undefined) lock(metadata, key.locked, counters)
    put(metadata, "Client", client)
    put(metadata, "User-Id", user)
    put(metadata, "Session-Id", session)
    if (trace !== undefined) metadata["Trace-Id"] ??= trace
    put(metadata, "Span-Path", baggage?.["Span-Path"])
    put(metadata, "Span-Name", baggage?.["Span-Name"])
    if (key !== undefined) for (const name in key.defaults) metadata[name] ??= key.defaults[name]!
    return metadata
  }
}

/** Sets the locked values of a key, and counts the values of the client that they replace. */
function lock(
  metadata: Record<string, string>,
  locked: Metadata,
  counters: Pick<Counters, "metadataOverridden">,
): void {
  for (const name in locked) {
    if (metadata[name] !== undefined && metadata[name] !== locked[name]) counters.metadataOverridden++
    metadata[name] = locked[name]!
  }
}

function readFirst(headers: Headers, names: readonly string[]): string | undefined {
  for (let i = 0; i < names.length; i++) {
    const value = headers[names[i]!]
    if (typeof value === "string" && value !== "") return toHeaderText(value)
  }
  return undefined
}
