import { createSseSplitter } from "../kit/sse.ts"
import type { Problem } from "./problem.ts"

/** A gateway sends these events while it answers a call. Each is one JSON object in `data` of a server-sent event. */
export type ApiEvent =
  /** A line for the person who waits. */
  | { readonly note: string }
  | { readonly progress: { readonly done: number; readonly total: number } }
  /** One item of a route that returns a sequence. */
  | { readonly item: unknown }
  /** The output; the last event. A sequence ends with `null`. */
  | { readonly result: unknown }
  /** The call failed; the last event. */
  | { readonly problem: Problem }

/** A comment, which keeps a quiet connection open. */
export const KEEP_ALIVE = ": waiting\n\n"

/** Returns the text of an event: its name, and its JSON. */
export function formatEvent(event: ApiEvent): string {
  return `event: ${Object.keys(event)[0]}\ndata: ${JSON.stringify(event)}\n\n`
}

/** An output of 10,000 groups has 3 MB. */
const MAX_EVENT_BYTES = 256 * 1024 * 1024

/** Reads the events of an answer. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ApiEvent> {
  let ready: ApiEvent[] = []
  const sink = {
    event: (data: Buffer) => void ready.push(JSON.parse(data.toString("utf8"))),
    long: () => {
      throw new Error(`an event is longer than ${MAX_EVENT_BYTES} bytes`)
    },
  }
  const splitter = createSseSplitter(sink, MAX_EVENT_BYTES)
  for await (const piece of body) {
    splitter.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))
    yield* ready
    ready = []
  }
}
