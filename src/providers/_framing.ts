/** The head of a provider's answer, as far as a dialect reads it. */
export interface ResponseHead {
  readonly statusCode: number
  readonly contentType: string
  /** The answer does not announce its length. */
  readonly isChunked?: boolean
}

/**
 * How the JSON documents stand in an answer:
 * - `document`: one document, the usual answer
 * - `events`: one document per server-sent event
 * - `lines`: one document per line, sent as they are made
 * - `elements`: the elements of one JSON array, sent as they are made
 * - `file`: one document per line of a finished file, such as the results of a batch
 * - `aws-events`: the messages of an AWS event stream (`_aws-events.ts`)
 * - `messages`: one document per message of a WebSocket, which is pushed as a whole (`_sockets.ts`)
 * - `opaque`: nothing to read, such as sound or pictures
 */
export type Framing = "document" | "events" | "lines" | "elements" | "file" | "aws-events" | "messages" | "opaque"

const LINES = /^application\/(?:x-)?(?:ndjson|jsonl|json-seq|stream\+json|json-stream)\b/i
const AWS_EVENTS = /^application\/vnd\.amazon\.eventstream\b/i
const MEDIA = /^(?:audio|image|video)\//i

/** Returns the framing that the content type announces. */
export function framingOf({ contentType }: ResponseHead): Framing {
  if (/^text\/event-stream\b/i.test(contentType)) return "events"
  if (LINES.test(contentType)) return "lines"
  return AWS_EVENTS.test(contentType) ? "aws-events" : "document"
}

/** Returns the framing of a body that holds many answers, one per line, whatever its content type. */
export function fileFramingOf(head: ResponseHead): Framing {
  return isStream(framingOf(head)) ? "lines" : "file"
}

const STREAMS: ReadonlySet<Framing> = new Set(["events", "lines", "elements", "aws-events", "messages"])

/** Returns true for an answer that arrives while it is made, so that each piece matters to the client at once. */
export function isStream(framing: Framing): boolean {
  return STREAMS.has(framing)
}

/** Returns true for sound, pictures and films. */
export function isMedia({ contentType }: ResponseHead): boolean {
  return MEDIA.test(contentType)
}
