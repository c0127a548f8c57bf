import { findMembers } from "../../kit/json-members.ts"
import type { RequestFacts } from "../_request.ts"

const OPTIONS = Buffer.from(',"stream_options":{"include_usage":true}')
const VALUE = Buffer.from('{"include_usage":true}')
const MEMBER = Buffer.from('"include_usage":true')
const COMMA = Buffer.from(",")
const TRUE = Buffer.from("true")

/**
 * The body of a streamed chat request with `stream_options.include_usage` put in: a textual insertion, every other
 * byte stays. undefined: nothing to ask (no stream), or the client has decided itself, true or false.
 */
export function askForUsage({ stream, json }: RequestFacts): Buffer | undefined {
  if (!stream || !json || json.members.close < 0) return undefined
  const { bytes, members } = json
  const options = members.found["stream_options"]
  if (!options) {
    const { end } = members.found["stream"]!
    return Buffer.concat([bytes.subarray(0, end), OPTIONS, bytes.subarray(end)])
  }
  const text = bytes.subarray(options.start, options.end)
  if (isNull(text)) return replaced(bytes, options.start, options.end, VALUE)
  const inner = findMembers(text, ["include_usage"])
  if (!inner || inner.close < 0) return undefined
  const own = inner.found["include_usage"]
  if (own) {
    if (!isNull(text.subarray(own.start, own.end))) return undefined
    return replaced(bytes, options.start + own.start, options.start + own.end, TRUE)
  }
  const at = options.start + inner.open
  return Buffer.concat([bytes.subarray(0, at), MEMBER, inner.empty ? NOTHING : COMMA, bytes.subarray(at)])
}

const NOTHING = Buffer.alloc(0)

function isNull(text: Buffer): boolean {
  return text.length === 4 && text.toString("latin1") === "null"
}

function replaced(bytes: Buffer, start: number, end: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, start), by, bytes.subarray(end)])
}
