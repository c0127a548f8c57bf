import { EventStreamCodec } from "@smithy/eventstream-codec"
import { type Ask, type Made, textPieces, whole } from "./_shape.ts"
import { anthropic, streamEvents } from "./anthropic.ts"

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString("utf8"),
  (text) => Buffer.from(text),
)

/** Amazon Bedrock: Converse, and InvokeModel for Claude, whole and as AWS event streams. Undefined for other paths. */
export function bedrock(ask: Ask): Made | undefined {
  const [, model, operation] = /^\/model\/([^/]+)\/([^/]+)$/.exec(ask.path) ?? []
  if (model === undefined) return undefined
  switch (operation) {
    case "converse":
      return whole({ output: { message: { role: "assistant", content: [{ text: ask.text }] } }, ...converseEnd(ask) })
    case "converse-stream":
      return stream(converseEvents(ask))
    case "invoke":
      return anthropic({ ...ask, path: "/messages", body: { ...ask.body, stream: false } })
    case "invoke-with-response-stream":
      return stream(
        streamEvents(ask).map((event) => ["chunk", { bytes: Buffer.from(JSON.stringify(event)).toString("base64") }]),
      )
    default:
      return undefined
  }
}

/** The input excludes what was read from the cache or written to it. */
function usageOf({ tokens }: Ask): Record<string, number> {
  return {
    inputTokens: tokens.input - tokens.cached - tokens.cacheWrite,
    outputTokens: tokens.output,
    totalTokens: tokens.input + tokens.output,
    cacheReadInputTokens: tokens.cached,
    cacheWriteInputTokens: tokens.cacheWrite,
  }
}

function converseEnd(ask: Ask): Record<string, unknown> {
  return { stopReason: "end_turn", usage: usageOf(ask), metrics: { latencyMs: 12 } }
}

type Event = readonly [type: string, payload: unknown]

function converseEvents(ask: Ask): readonly Event[] {
  return [
    ["messageStart", { role: "assistant" }],
    ...textPieces(ask).map((text): Event => ["contentBlockDelta", { contentBlockIndex: 0, delta: { text } }]),
    ["contentBlockStop", { contentBlockIndex: 0 }],
    ["messageStop", { stopReason: "end_turn" }],
    ["metadata", { usage: usageOf(ask), metrics: { latencyMs: 12 } }],
  ]
}

function stream(events: readonly Event[]): Made {
  const pieces = events.map(([type, payload]) =>
    codec.encode({
      headers: {
        ":event-type": { type: "string", value: type },
        ":content-type": { type: "string", value: "application/json" },
        ":message-type": { type: "string", value: "event" },
      },
      body: Buffer.from(JSON.stringify(payload)),
    }),
  )
  return { status: 200, contentType: "application/vnd.amazon.eventstream", pieces, stream: true }
}
