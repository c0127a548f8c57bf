import type { Edit } from "../../core/call.ts"
import { findMembers, MemberNames } from "../../kit/json/members.ts"
import type { RequestFacts } from "../_request.ts"
import { bytesOf } from "../_values.ts"

const OPTIONS = Buffer.from(',"stream_options":{"include_usage":true}')
const VALUE = Buffer.from('{"include_usage":true}')
const MEMBER = Buffer.from('"include_usage":true')
const FIRST_MEMBER = Buffer.from('"include_usage":true,')
const TRUE = Buffer.from("true")
const INCLUDE_USAGE = new MemberNames(["include_usage"])

/**
 * Returns the edit that puts `stream_options.include_usage` into the body of a streamed chat request. undefined: the
 * request asks for no stream, or the client has decided itself, true or false.
 */
export function askForUsage({ stream, json }: RequestFacts): Edit | undefined {
  if (!stream || !json || json.members.close < 0) return undefined
  const { bytes, members } = json
  const options = members.found["stream_options"]
  if (!options) return insertAt(members.found["stream"]!.end, OPTIONS)
  const text = bytes.subarray(options.start, options.end)
  if (isNull(text)) return { start: options.start, end: options.end, by: VALUE }
  const inner = findMembers(text, INCLUDE_USAGE)
  if (!inner || inner.close < 0) return undefined
  const own = inner.found["include_usage"]
  if (!own) return insertAt(options.start + inner.open, inner.empty ? MEMBER : FIRST_MEMBER)
  if (!isNull(text.subarray(own.start, own.end))) return undefined
  return { start: options.start + own.start, end: options.start + own.end, by: TRUE }
}

/** Returns true if a provider that does not know `stream_options` has rejected the request for it. */
export function rejectsAskedUsage(statusCode: number, body: Uint8Array): boolean {
  if (statusCode !== 400 && statusCode !== 422) return false
  return /stream_options|include_usage/.test(bytesOf(body).toString("latin1"))
}

function insertAt(at: number, by: Buffer): Edit {
  return { start: at, end: at, by }
}

function isNull(text: Buffer): boolean {
  return text.length === 4 && text.toString("latin1") === "null"
}
