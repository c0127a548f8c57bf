import { findMembers, MemberNames, memberValue, nameOfMember } from "../../../kit/json/members.ts"
import { readErrorMessage } from "../../_error-message.ts"
import { innerMembers } from "../../_socket-message.ts"
import type { SocketError } from "../../_sockets.ts"
import { countOf, type JsonObject, objectOf, textOf } from "../../_values.ts"

/** The content of an `error` event of a session. */
export interface SocketErrorEvent {
  /** The status that the same error has over HTTP. */
  readonly statusCode: number
  /** The provider's text, with credentials redacted. */
  readonly message: string | undefined
  /** The error is an event of a response that runs. Otherwise it may also be about a message of the client. */
  readonly isOfStream: boolean
  readonly isInvalidRequest: boolean
  /** The id of the client's event that it is about, in the Realtime API. */
  readonly event: string | undefined
  /** It is about the request for a response, or about all that the provider does. */
  readonly isAboutResponse: boolean
}

const ASKED_NAMES = new MemberNames(["stream_id", "event_id"])
const STATUS_NAMES = new MemberNames(["status", "status_details"])
const MAX_EVENT_BYTES = 64 * 1024

/**
 * Reads an error event. The Responses API has `{"type":"error","status":400,"error":{…}}` for a request, and
 * `{"type":"error","code":…,"message":…,"sequence_number":7}` in a stream; the Realtime API states no status.
 */
export function readSocketError(message: Buffer): SocketErrorEvent {
  const event = parse(message)
  const error = objectOf(event["error"]) ?? event
  const code = textOf(error["code"]) ?? ""
  const type = textOf(error["type"]) ?? ""
  const stated = countOf(event["status"]) ?? countOf(event["status_code"])
  const isInvalidRequest = type === "invalid_request_error" && stated !== 429
  const text = readErrorMessage(Buffer.from(JSON.stringify({ error })))
  return {
    statusCode: stated !== undefined && stated >= 400 && stated <= 599 ? stated : statusOf(type, code),
    message: text,
    isOfStream: event["sequence_number"] !== undefined,
    isInvalidRequest,
    event: textOf(error["event_id"]),
    isAboutResponse: !isInvalidRequest || /response/.test(`${code} ${textOf(error["param"]) ?? ""}`),
  }
}

/** Returns why a response of the Realtime API failed; undefined: it did not fail. */
export function readFailedResponse(message: Buffer): Pick<SocketErrorEvent, "statusCode" | "message"> | undefined {
  const response = innerMembers(message, "response", STATUS_NAMES)
  const value = (name: string) => response && memberValue(response.bytes, response.members.found[name])
  if (value("status") !== "failed") return undefined
  const error = objectOf(objectOf(value("status_details"))?.["error"]) ?? {}
  return {
    statusCode: statusOf(textOf(error["type"]) ?? "", textOf(error["code"]) ?? ""),
    message: readErrorMessage(Buffer.from(JSON.stringify({ error }))),
  }
}

/** Returns the text of the error for which a response failed; undefined: it states none. */
export function readFailure(message: Buffer): string | undefined {
  const response = innerMembers(message, "response", nameOfMember("error"))
  const error = response && memberValue(response.bytes, response.members.found["error"])
  return error ? readErrorMessage(Buffer.from(JSON.stringify({ error }))) : undefined
}

function parse(message: Buffer): JsonObject {
  if (message.length > MAX_EVENT_BYTES) return {}
  try {
    return objectOf(JSON.parse(message.toString("utf8"))) ?? {}
  } catch {
    return {}
  }
}

function statusOf(type: string, code: string): number {
  if (/rate_limit|quota|usage_limit/.test(`${type} ${code}`)) return 429
  return type === "invalid_request_error" ? 400 : 500
}

/**
 * Returns an error of the gateway's own as an event. Both APIs read the same form: clients of the Responses API find the
 * status and the stream of their message in it, and those of the Realtime API the id of their event.
 */
export function toErrorEvent({ statusCode, body }: SocketError, asked: Buffer | undefined): string {
  const found = asked && findMembers(asked, ASKED_NAMES)?.found
  const stream = asked && textOf(memberValue(asked, found?.["stream_id"]))
  const event = asked && textOf(memberValue(asked, found?.["event_id"]))
  const error = objectOf(objectOf(JSON.parse(body))?.["error"])
  return JSON.stringify({
    type: "error",
    event_id: "event_of_gateway",
    status: statusCode,
    error: { ...error, ...(event !== undefined && { event_id: event }) },
    ...(stream !== undefined && { stream_id: stream }),
  })
}
