import { expect, test } from "vitest"
import type { Recording } from "./recordings.ts"
import { report } from "./report.ts"
import { sumProblems } from "./sum.ts"

const USAGE = { prompt_tokens: 1000, completion_tokens: 500, prompt_tokens_details: { cached_tokens: 400 } }
const CHUNKS = [
  { model: "gpt-4o-mini-2024-07-18", choices: [{ delta: { content: "é\u{1F600}" } }], usage: null },
  { model: "gpt-4o-mini-2024-07-18", choices: [], usage: USAGE },
]
const STREAM: Recording = {
  id: "stream",
  provider: "openai",
  kind: "chat",
  path: "/v1/chat/completions",
  streaming: true,
  content_type: "text/event-stream; charset=utf-8",
  status: 200,
  request: { stream: true, stream_options: { include_usage: true } },
  request_model: "gpt-4o-mini",
  response_body: `${CHUNKS.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")}data: [DONE]\n\n`,
  expected: {
    model: "gpt-4o-mini-2024-07-18",
    usage_found: true,
    input_tokens: 1000,
    output_tokens: 500,
    cached_tokens: 400,
    cache_creation_tokens: 0,
  },
}

test("a recording that passes unchanged and is read as expected counts as correct", async () => {
  const { text, passed } = await report([STREAM])
  expect(text).toContain("all                                                1/1    100 %")
  expect(passed).toBe(true)
})

test("a recording that is read differently is listed with its differences and fails the run", async () => {
  const wrong = { ...STREAM, id: "wrong", expected: { ...STREAM.expected, output_tokens: 501 } }
  const { text, passed } = await report([STREAM, wrong])
  expect(text).toContain("wrong: output tokens: expected 501, got 500")
  expect(passed).toBe(false)
})

test("an ambiguous recording is listed and not counted", async () => {
  const ambiguous = { ...STREAM, id: "both", expected: { ...STREAM.expected, output_tokens: 1, ambiguous: "two sums" } }
  const { text, passed } = await report([STREAM, ambiguous])
  expect(text).toContain("not counted (1):\n  both: two sums")
  expect(passed).toBe(true)
})

test("a row whose lines differ in the last digit is found", () => {
  const line = {
    side: "input",
    bucket: "input",
    model: "m",
    quantity: 1,
    rate: "1",
    per: "million",
    factor: "1",
  } as const
  const row = (total: string) => ({
    input_cost: total,
    output_cost: "0",
    total_cost: total,
    cost_status: "exact" as const,
    price: { lines: [{ ...line, amount: "0.000001", source: "s" }] },
  })
  expect(sumProblems(row("0.000001000000"))).toEqual([])
  expect(sumProblems(row("0.000001000001"))).toHaveLength(2)
})
