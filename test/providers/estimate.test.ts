import { describe, expect, it } from "vitest"
import { createTextCounter, estimateInput, outputLimit, textNames } from "../../src/providers/_estimate.ts"

function counted(...events: string[]): number {
  const counter = createTextCounter(textNames("content", "arguments"))
  for (const event of events) counter.addEvent(Buffer.from(event))
  return counter.tokens()
}

describe("counting text whose tokens no provider reported", () => {
  it("counts four ASCII characters as one token, and other scripts as more", () => {
    expect(counted(`{"delta":{"content":"${"word".repeat(25)}"}}`)).toBe(25)
    expect(counted('{"delta":{"content":"世界世界"}}')).toBe(3)
    expect(counted('{"delta":{"content":"\\u4e16\\u754c\\ud83c\\udf0d\\u754c"}}')).toBe(3)
    expect(counted('{"delta":{"content":"\\n\\"\\\\a"}}')).toBe(1)
  })
  it("never counts less than one token for a piece of text", () => {
    expect(counted('{"content":"a"}', '{"content":"b"}', '{"content":"c"}')).toBe(3)
  })
  it("counts the tool call beside an empty or missing content, and each event once", () => {
    expect(counted(`{"content":"","arguments":"${"x".repeat(40)}"}`)).toBe(10)
    expect(counted(`{"content": null,"arguments" : "${"x".repeat(40)}"}`)).toBe(10)
    expect(counted(`{"content":"${"x".repeat(40)}","arguments":"${"x".repeat(40)}"}`)).toBe(10)
    expect(counted('{"role":"assistant"}', "[DONE]", '{"content":"cut of')).toBe(0)
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
