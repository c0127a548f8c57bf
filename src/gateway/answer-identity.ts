import type { Call, RawHeaders } from "../core/call.ts"
import { findRaw } from "../core/raw-headers.ts"

/** The columns that tell whether a client's own report is about a request that the gateway has relayed. */
export interface AnswerIdentity {
  readonly requestId: string | undefined
}

/** The headers by which Anthropic, OpenAI and AWS name a request. */
const HEADERS = ["request-id", "x-request-id", "x-amzn-requestid"]
const PLAIN = /^[\x21-\x7e]{1,255}$/

/** Reads the identity of an answer. The turns of a WebSocket share the headers of its handshake, which identify none of them. */
export function readIdentity({ websocketId }: Pick<Call, "websocketId">, headers: RawHeaders): AnswerIdentity {
  if (websocketId !== undefined) return { requestId: undefined }
  for (const name of HEADERS) {
    const value = findRaw(headers, name)
    if (value !== undefined && PLAIN.test(value)) return { requestId: value }
  }
  return { requestId: undefined }
}
