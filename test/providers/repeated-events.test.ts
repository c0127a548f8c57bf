import { describe, expect, test } from "vitest"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { formatOf, meterRecording } from "../conformance/judge.ts"
import { type Recording, readRecordings } from "../conformance/recordings.ts"
import { openMeter } from "../support/meter.ts"
import { createRandom } from "./_random.ts"

// The meter does not search an event that repeats the ones before. A comment that is different before each event prevents
// that, so that both ways of reading can be compared.

const HEAD = { statusCode: 200, contentType: "text/event-stream" }
const LETTERS = "abcdefghijklmnopqrstuvwxyz"

function spoil(events: readonly string[]): string[] {
  const random = createRandom(3)
  const letters = () => Array.from({ length: 1 + random.below(9) }, () => random.one([...LETTERS])).join("")
  return events.map((event) => `: ${letters()}\n${event}`)
}

const words = createRandom(5)
const word = () =>
  words.one([" a", "word", " été", '\\"', "\\n", "\\u00e9", "数", "", " much longer ".repeat(9), '\\"usage\\":{', "x"])

/** The events of streams that say so, in any order. */
const APIS: Readonly<Record<string, { path: string; format: keyof typeof DIALECTS; events: (() => string)[] }>> = {
  chat: {
    path: "/v1/chat/completions",
    format: "openai",
    events: [
      () => `data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${word()}"}}]}\n\n`,
      () =>
        `data: {"id":"c","model":"m","choices":[{"index":1,"delta":{"content":"${word()}"}}],"usage":null,"p":"${word()}"}\n\n`,
      () => `data: {"choices":[{"delta":{"content":"","reasoning_content":"${word()}"}}]}\n\n`,
      () => `data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"${word()}"}}]}}]}\n\n`,
      () => `data: {"choices":[{"delta":{"content":"${word()}","refusal":"${word()}"}}]}\r\n\r\n`,
    ],
  },
  responses: {
    path: "/v1/responses",
    format: "openai",
    events: [
      () => `data: {"type":"response.created","response":{"model":"gpt-5"}}\n\n`,
      () => `event: d\ndata: {"type":"response.output_text.delta","n":${words.below(200)},"delta":"${word()}"}\n\n`,
      () => `event: d\ndata: {"type":"response.reasoning_text.delta","n":${words.below(200)},"delta":"${word()}"}\n\n`,
      () => `data: {"type":"response.output_item.added","item":{"type":"function_call","name":"${word()}"}}\n\n`,
    ],
  },
  messages: {
    path: "/v1/messages",
    format: "anthropic",
    events: [
      () => `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${word()}"}}\n\n`,
      () =>
        `data: {"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"${word()}"}}\n\n`,
      () =>
        `data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"${word()}"}}\n\n`,
      () =>
        `data: {"type":"content_block_delta","index":1,"delta":{"type":"signature_delta","signature":"${word()}"}}\n\n`,
      () => `data: {"type":"content_block_start","content_block":{"type":"tool_use","name":"${word()}"}}\n\n`,
      () => `data: {"type":"ping"}\n\n`,
    ],
  },
  gemini: {
    path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    format: "gemini",
    events: [
      () => gemini(`{"text":"${word()}"}`, ""),
      () => gemini(`{"text":"${word()}","thought":true}`, counts()),
      () => gemini(`{"text":"${word()}"},{"text":"${word()}"}`, counts()),
      () => gemini(`{"text":"${word()}"}`, counts()),
      () => gemini(`{"functionCall":{"name":"f","args":{"a":"${word()}"}}}`, ""),
    ],
  },
}

function gemini(parts: string, more: string): string {
  return `data: {"candidates":[{"content":{"parts":[${parts}]}}],"modelVersion":"gemini-2.5-flash"${more}}\r\n\r\n`
}

function counts(): string {
  return `,"usageMetadata":{"promptTokenCount":22,"candidatesTokenCount":${words.below(1000)}}`
}

describe.each(Object.entries(APIS))("%s", (_, { path, format, events }) => {
  test("a stream that breaks off is estimated alike, whether or not its events repeat one another", () => {
    const random = createRandom(11)
    for (let round = 0; round < 150; round++) {
      const kinds = Array.from({ length: 1 + random.below(3) }, () => random.one(events))
      const stream = [events[0]!(), ...Array.from({ length: 30 }, () => random.one(kinds)())]
      const sizes = [1 + random.below(400), 4000, 100_000]
      for (const size of sizes) expect(read(stream, size)).toEqual(read(spoil(stream), 1000))
    }
  })

  function read(stream: readonly string[], size: number): unknown {
    const body = Buffer.from('{"model":"m","messages":[{"content":"Say something"}]}')
    const request = { provider: format, method: "POST", path, query: "", headers: {}, body, host: "h" }
    const meter = openMeter(DIALECTS[format], request, HEAD)!
    const bytes = Buffer.from(stream.join(""))
    for (let at = 0; at < bytes.length; at += size) meter.push(bytes.subarray(at, at + size))
    // A reading also has functions, which are never equal.
    return JSON.parse(JSON.stringify([meter.generatedTokens, meter.end({ complete: false })]))
  }
})

const recordings = readRecordings("../shared/corpus")?.filter(
  ({ streaming, content_type }) => streaming && content_type.startsWith("text/event-stream"),
)

describe.skipIf(!recordings)("over recorded streams (skipped where the recordings are missing)", () => {
  test("a stream that breaks off anywhere is estimated alike", () => {
    const random = createRandom(17)
    const differing = (recordings ?? []).filter((recording) => {
      const events = recording.response_body.split(/(?<=\n\r?\n)/)
      const some = events.slice(0, 1 + random.below(events.length))
      return JSON.stringify(read(recording, some)) !== JSON.stringify(read(recording, spoil(some)))
    })
    expect(differing.map((recording) => `${formatOf(recording)} ${recording.path}`)).toEqual([])
  })

  function read(recording: Recording, events: readonly string[]) {
    const expected = { ...recording.expected, partial: true }
    return meterRecording({ ...recording, response_body: events.join(""), expected }, 1400)
  }
})
