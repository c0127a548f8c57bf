import { expect, test } from "vitest"
import { AnswerDescription } from "../../src/providers/_description.ts"
import { openai } from "../../src/providers/openai/index.ts"

const REQUEST = {
  ...{ provider: "openai", method: "POST", path: "/v1/chat/completions", query: "", headers: {} },
  ...{ body: Buffer.from("{}"), host: "api.openai.com" },
}

/** Meters an answer once with and once without its description, and compares both readings. */
function describeAnswer(framing: "events" | "document", text: string, path = REQUEST.path) {
  const description = new AnswerDescription()
  const request = { ...REQUEST, path }
  const described = openai.createMeter(request, framing, { onJob: () => {}, description })!
  const plain = openai.createMeter(request, framing)!
  for (const meter of [described, plain]) meter.push(Buffer.from(text))
  const readings = [described, plain].map((meter) => meter.end({ complete: true }))
  expect(readings[0]).toEqual(readings[1])
  return { id: description.id, finishReasons: description.finishReasons }
}

const chunk = (choices: readonly object[], more: object = {}) =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", model: "m", choices, ...more })}\n\n`
const piece = (index: number, content: string, finish_reason: string | null = null) =>
  chunk([{ index, delta: { content }, finish_reason }])

test("the choices of a stream end in events of their own, in any order", () => {
  const text = Array.from({ length: 50 }, (_, at) => piece(at % 2, `word ${at}`)).join("")
  const usage = chunk([], { usage: { prompt_tokens: 1, completion_tokens: 2 } })
  const answer = describeAnswer("events", `${text}${piece(1, "", "length")}${piece(0, "", "stop")}${usage}`)
  expect(answer).toEqual({ id: "chatcmpl-1", finishReasons: ["stop", "length"] })
})

test("a provider that writes an empty reason into each event ends with the last one", () => {
  const text = Array.from({ length: 50 }, (_, at) => piece(0, `word ${at}`, "")).join("")
  expect(describeAnswer("events", text + piece(0, "end", "stop")).finishReasons).toEqual(["stop"])
  expect(describeAnswer("events", text).finishReasons).toEqual([])
})

test("an answer that is too large to be parsed describes itself too", () => {
  const choices = [{ index: 0, message: { content: "x".repeat(600_000) }, finish_reason: "tool_calls" }]
  const answer = JSON.stringify({ id: "chatcmpl-2", choices, usage: { prompt_tokens: 1, completion_tokens: 2 } })
  expect(describeAnswer("document", answer)).toEqual({ id: "chatcmpl-2", finishReasons: ["tool_calls"] })
})

test("a response that is incomplete says why, and one that runs has no reason yet", () => {
  const response = { id: "resp_1", status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }
  const expected = { id: "resp_1", finishReasons: ["max_output_tokens"] }
  expect(describeAnswer("document", JSON.stringify(response), "/v1/responses")).toEqual(expected)
  const running = JSON.stringify({ id: "resp_1", status: "queued" })
  expect(describeAnswer("document", running, "/v1/responses").finishReasons).toEqual([])
})

test("an answer with too many choices has a bounded description", () => {
  const choices = Array.from({ length: 200 }, (_, index) => ({ index, finish_reason: "x".repeat(300) }))
  const { finishReasons } = describeAnswer("document", JSON.stringify({ choices }))
  expect(finishReasons).toHaveLength(128)
  expect(finishReasons[0]).toHaveLength(256)
})
