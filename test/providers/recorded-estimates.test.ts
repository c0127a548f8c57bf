import { describe, expect, test } from "vitest"
import { toTokenTotals } from "../../src/core/usage.ts"
import { formatOf, meterRecording } from "../conformance/judge.ts"
import { type Recording, readRecordings } from "../conformance/recordings.ts"

const USAGE_EVENT = /"usage":\s*\{/
const TOOL_CALL = /"tool_use"|"tool_calls":\s*\[\s*\{|"function_call"|"custom_tool_call"|"functionCall"/
/** What these tools do, or how much of it is billed as output, is not in the stream. */
const SERVER_TOOL = /server_tool_use|mcp_|search_call|code_interpreter|shell_call|tool_search|executableCode|compaction/
/** Fewer streams than this have no meaningful median. */
const MIN_STREAMS = 4

/** Recorded streams that reasoned and do not show it, in the API that says so. */
const hidden = readRecordings("../shared/corpus")?.filter(
  ({ streaming, kind, expected, request_model: model, response_body: body }) =>
    streaming &&
    kind === "responses" &&
    expected.usage_found &&
    (expected.reasoning_tokens ?? 0) > 0 &&
    /"type":\s*"reasoning"/.test(body) &&
    /gpt-|^o\d/.test(model ?? ""),
)

const recordings = readRecordings("../shared/corpus")?.filter(
  ({ streaming, kind, expected, response_body: body }) =>
    streaming &&
    kind !== "transcription" &&
    expected.usage_found &&
    !expected.ambiguous &&
    // Hidden reasoning is not in the stream, so that only the rest can be compared.
    !expected.reasoning_tokens &&
    !SERVER_TOOL.test(body),
)

/** Returns the recorded stream as if it had broken off before its usage. */
function withoutUsage(recording: Recording): Recording {
  const body = recording.response_body
  const isGemini = formatOf(recording) === "gemini"
  const events = body.split(/(?<=\n\r?\n)/)
  const cut = isGemini
    ? body.replace(/"usageMetadata":\s*\{(?:[^{}]|\{[^{}]*\})*\}/g, '"none": 0')
    : events.filter((event) => !USAGE_EVENT.test(event) || event.includes("message_start")).join("")
  return { ...recording, response_body: cut, expected: { ...recording.expected, partial: true } }
}

function ratioOf(recording: Recording): number {
  const reading = meterRecording(withoutUsage(recording), 1400)
  return toTokenTotals(reading.parts).outputTokens / recording.expected.output_tokens
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

describe.skipIf(!recordings)("over recorded streams (skipped where the recordings are missing)", () => {
  const groups = new Map<string, number[]>()
  for (const recording of recordings ?? []) {
    const ratio = ratioOf(recording)
    // Some servers report their usage in every event, so that nothing is left without it.
    if (ratio === 0) continue
    const kind = TOOL_CALL.test(recording.response_body) ? "tool calls" : "text"
    const api = recording.kind === "responses" ? "responses" : formatOf(recording)
    const name = `${api}: ${kind}`
    groups.set(name, [...(groups.get(name) ?? []), ratio])
  }

  test.each([...groups])("the median of estimate / truth is between 0.9 and 1.1 for %s", (name, ratios) => {
    const said = `${name}: ${median(ratios).toFixed(3)} over ${ratios.length} streams`
    if (process.env["MEASURE"]) console.info(said, ratios.map((ratio) => ratio.toFixed(2)).join(" "))
    if (ratios.length < MIN_STREAMS) return
    expect(median(ratios), said).toBeGreaterThanOrEqual(0.9)
    expect(median(ratios), said).toBeLessThanOrEqual(1.1)
  })
})

describe.skipIf(!hidden?.length)("over recorded streams that hide their reasoning", () => {
  test("the median of estimated / reported reasoning is between 0.5 and 2", () => {
    const ratios = (hidden ?? []).map((recording) => {
      const { reasoningTokens } = toTokenTotals(meterRecording(withoutUsage(recording), 1400).parts)
      return reasoningTokens / (recording.expected.reasoning_tokens ?? 1)
    })
    const said = `reasoning: ${median(ratios).toFixed(3)} over ${ratios.length} streams`
    if (process.env["MEASURE"]) console.info(said, ratios.map((ratio) => ratio.toFixed(2)).join(" "))
    expect(median(ratios), said).toBeGreaterThanOrEqual(0.5)
    expect(median(ratios), said).toBeLessThanOrEqual(2)
  })
})
