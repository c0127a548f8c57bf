import { describe, expect, it } from "vitest"
import { estimateInput, outputLimit } from "../../src/providers/_estimate.ts"
import { GeneratedCounter } from "../../src/providers/openai/generated.ts"

function counted(...events: string[]): number {
  const counter = GeneratedCounter.of("chat")!
  for (const event of events) counter.addEvent(Buffer.from(event))
  return counter.tokens(8)
}

describe("counting text whose tokens no provider reported", () => {
  it("counts four ASCII characters as one token, and other scripts as more", () => {
    expect(counted(`{"delta":{"content":"${"word".repeat(25)}"}}`)).toBe(25)
    expect(counted('{"delta":{"content":"世界世界"}}')).toBe(3)
    expect(counted('{"delta":{"content":"\\u4e16\\u754c\\ud83c\\udf0d\\u754c"}}')).toBe(3)
    expect(counted('{"delta":{"content":"\\n\\"\\\\a"}}')).toBe(1)
  })
  it("never counts less than one token for a piece of text", () => {
    expect(counted(...["a", "b", "c"].map((content) => JSON.stringify({ delta: { content } })))).toBe(3)
  })
  it("counts the arguments of a tool call beside an empty or missing content, at three characters per token", () => {
    expect(counted(`{"delta":{"content":"","arguments":"${"x".repeat(39)}"}}`)).toBe(13)
    expect(counted(`{"delta":{"content": null,"arguments" : "${"x".repeat(39)}"}}`)).toBe(13)
    expect(counted('{"delta":{"role":"assistant"}}', "[DONE]", '{"delta":{"content":"cut of')).toBe(0)
  })
  it("counts the name of a tool, and what a model writes around each call", () => {
    const call = (name: string) => ({ function: { name, arguments: "{}" } })
    expect(counted(JSON.stringify({ delta: { tool_calls: [call("weather")] } }))).toBe(1 + 2 + 8)
    expect(counted(JSON.stringify({ delta: { tool_calls: [call("abcd"), call("efgh")] } }))).toBe(2 + 2 + 16)
  })
  it("counts all that one event has if its text is more than a token", () => {
    const content = "word".repeat(25)
    const calls = [{ function: { name: "weather", arguments: "{}" } }]
    expect(counted(JSON.stringify({ delta: { content, reasoning: content, tool_calls: calls } }))).toBe(50 + 11)
  })
  it("counts a text once that stands under two names, and never the text so far beside it", () => {
    expect(counted('{"delta":{"reasoning":"one two three","reasoning_content":"one two three"}}')).toBe(4)
    expect(counted(`{"message":{"content":"${"x".repeat(400)}"},"delta":{"content":"word"}}`)).toBe(1)
  })
  it("counts content that comes as a list of parts", () => {
    const thinking = [{ type: "thinking", thinking: [{ type: "text", text: "word".repeat(5) }] }]
    expect(counted(JSON.stringify({ delta: { content: thinking } }))).toBe(5)
  })
  it("counts an embedded file as one image, not by its bytes", () => {
    const text = estimateInput(Buffer.from('{"messages":[{"content":"what is this?"}]}'))
    const image = estimateInput(
      Buffer.from(`{"messages":[{"content":"what is this?"},{"url":"data:image/png;base64,${"A".repeat(1e6)}"}]}`),
    )
    expect(image - text).toBeGreaterThan(500)
    expect(image - text).toBeLessThan(1000)
  })
  it("finds the output limit of the request", () => {
    expect(outputLimit(Buffer.from('{"max_tokens":16,"max_completion_tokens":null}'))).toBe(16)
    expect(outputLimit(Buffer.from('{"max_output_tokens":64}'))).toBe(64)
    expect(outputLimit(Buffer.from('{"x":{"max_tokens":1}}'))).toBeUndefined()
    expect(outputLimit(Buffer.from(""))).toBeUndefined()
  })
})
