import { HttpError } from "./errors.ts"
import { isToken } from "./fields.ts"

/** Where the body of a response ends. */
type BodyEnd = "length" | "chunks" | "close"

/** The head of a response, in latin1, so that it can be sent on byte for byte. */
export interface ResponseHead {
  readonly status: number
  /** The reason phrase; may be empty. */
  readonly statusText: string
  /** Names and values alternate, in the order and the spelling of the server. */
  readonly headers: string[]
  readonly end: BodyEnd
  /** The value of Content-Length; 0 without one. */
  readonly length: number
  /** Whether the server lets the connection be used again. */
  readonly keepsAlive: boolean
  /** How long the server keeps an idle connection, in seconds; undefined: it does not say. */
  readonly keepAliveSeconds: number | undefined
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d{2})(?: (.*))?$/
/** The control characters but the tab, a bare CR or LF among them. */
const FORBIDDEN = /[\0-\x08\x0a-\x1f\x7f]/
const LENGTH = /^\d{1,15}$/

const TAB = 0x09
const SPACE = 0x20

/**
 * Reads the head of a response: its text without the empty line at its end.
 *
 * It is strict where two readers could disagree on the end of a response: both lengths, two lengths, or a transfer coding other
 * than `chunked` are errors.
 *
 * @throws HttpError `invalid_response`
 */
export function readResponseHead(text: string): ResponseHead {
  const first = text.indexOf("\r\n")
  // Nobody reads the phrase, so that other characters in it do no harm.
  const line = STATUS_LINE.exec(first < 0 ? text : text.slice(0, first))
  if (line === null) throw invalid("no status line")
  const headers = first < 0 ? [] : readHeaders(text.slice(first + 2))
  const framing = readFraming(headers)
  const isOld = line[1] === "0"
  return {
    status: Number(line[2]),
    statusText: line[3] ?? "",
    headers,
    end: framing.isChunked ? "chunks" : framing.length === undefined ? "close" : "length",
    length: framing.length ?? 0,
    keepsAlive: isOld ? framing.connection.includes("keep-alive") : !framing.connection.includes("close"),
    keepAliveSeconds: framing.keepAliveSeconds,
  }
}

function readHeaders(text: string): string[] {
  const headers: string[] = []
  for (let at = 0; at < text.length; ) {
    let next = text.indexOf("\r\n", at)
    if (next < 0) next = text.length
    const colon = text.indexOf(":", at)
    const name = text.slice(at, colon)
    if (colon < 0 || colon >= next || !isToken(name)) throw invalid("a header without a name")
    const value = trim(text, colon + 1, next)
    if (FORBIDDEN.test(value)) throw invalid("a control character in a header")
    headers.push(name, value)
    at = next + 2
  }
  return headers
}

/** Returns a part of a text without the spaces and tabs around it. */
function trim(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

interface Framing {
  isChunked: boolean
  length: number | undefined
  /** The values of Connection, in lower case. */
  connection: string
  keepAliveSeconds: number | undefined
}

/** Reads the headers that concern the connection. Most have another length, so they are never put into lower case. */
function readFraming(headers: readonly string[]): Framing {
  const framing: Framing = { isChunked: false, length: undefined, connection: "", keepAliveSeconds: undefined }
  for (let at = 0; at < headers.length; at += 2) {
    const { length } = headers[at]!
    if (length === 10 || length === 14 || length === 17) {
      readFramingHeader(framing, headers[at]!.toLowerCase(), headers[at + 1]!)
    }
  }
  if (framing.isChunked && framing.length !== undefined) throw invalid("two lengths")
  return framing
}

function readFramingHeader(framing: Framing, name: string, value: string): void {
  switch (name) {
    case "content-length":
      if (framing.length !== undefined || !LENGTH.test(value)) throw invalid("an invalid length")
      framing.length = Number(value)
      break
    case "transfer-encoding":
      if (framing.isChunked || value.toLowerCase() !== "chunked") throw invalid("an unknown transfer coding")
      framing.isChunked = true
      break
    case "connection":
      framing.connection += `${value.toLowerCase()},`
      break
    case "keep-alive": {
      const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1]
      if (seconds !== undefined) framing.keepAliveSeconds = Number(seconds)
      break
    }
  }
}

/** The server sent what HTTP does not allow. `what` completes "the response has …". */
export function invalid(what: string): HttpError {
  return new HttpError("invalid_response", `the response has ${what}`)
}
