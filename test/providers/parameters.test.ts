import { expect, test } from "vitest"
import { readParameters } from "../../src/providers/_parameters.ts"
import { readRequest } from "../../src/providers/_request.ts"

/** Reads the parameters of a body twice: by a search of its own, and from what the dialect has found on its way. */
function read(body: string | object): object {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body))
  const { json } = readRequest({ headers: {}, body: bytes } as never, { describesRequests: true })
  const parameters = readParameters({ body: bytes }, {})
  expect(readParameters({ body: bytes }, { json })).toEqual(parameters)
  return parameters
}

test.each([
  ["Mistral's names", { random_seed: 3, max_tokens: 5 }, { seed: 3, maxTokens: 5 }],
  ["candidates of Gemini", { generationConfig: { candidateCount: 3 } }, { choices: 3 }],
  ["a picture beside text", { generationConfig: { responseModalities: ["TEXT", "IMAGE"] } }, { outputType: "image" }],
  ["speech", { modalities: ["text", "audio"] }, { outputType: "speech" }],
  ["text only", { modalities: ["text"] }, { outputType: "text" }],
  ["a configuration in a configuration", { generationConfig: { generationConfig: { topK: 1 } } }, {}],
  ["names that objects inherit", { modalities: ["constructor"], response_format: { type: "toString" } }, {}],
  ["values of other types", { temperature: "0.5", seed: 1.5, max_tokens: null, stop: 5, n: true, modalities: 1 }, {}],
  ["a text that is input", { text: "SECRET" }, {}],
  ["no object", "[1]", {}],
  ["no JSON", "temperature=1", {}],
])("the parameters of %s", (_, body, expected) => {
  expect(read(body)).toEqual(expected)
})

test("a schema of any length is a JSON output, and none of its text is read", () => {
  const json_schema = { name: "n", schema: { description: "SECRET ".repeat(10_000) } }
  const expected = { outputType: "json" }
  expect(read({ response_format: { json_schema, type: "json_schema" } })).toEqual(expected)
  expect(read({ text: { format: { ...json_schema, type: "json_schema" } } })).toEqual(expected)
  expect(read({ output_config: { format: { type: "json_schema", ...json_schema } } })).toEqual(expected)
})

test("stop sequences are limited to 16 of 64 characters", () => {
  const stop = Array.from({ length: 20 }, (_, index) => `${index}`.padEnd(100, "x"))
  expect(read({ stop })).toEqual({ stopSequences: stop.slice(0, 16).map((text) => text.slice(0, 64)) })
})
