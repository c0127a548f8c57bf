import { expect, it } from "vitest"
import { DIALECTS, type Format } from "../../src/providers/catalog.ts"
import { openMeter } from "../support/meter.ts"

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
const COUNTS = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 }

it.each<[Format, string, object]>([
  [
    "gemini",
    "/v1beta/models/gemini-2.5-flash:generateContent",
    { modelVersion: "models/gemini-2.5-flash", usageMetadata: COUNTS },
  ],
  [
    "gemini",
    "/v1beta/interactions",
    { model: "models/gemini-2.5-flash", usage: { total_input_tokens: 10, total_tokens: 15 } },
  ],
  ["openai", "/v1beta/openai/chat/completions", { model: "models/gemini-2.5-flash", choices: [], usage: USAGE }],
])("a model has one name, with `models/` before it or not: %s %s", (format, path, answer) => {
  const body = Buffer.from('{"model":"models/gemini-2.5-flash"}')
  const request = { provider: "gemini", method: "POST", path, query: "", headers: {}, body, host: "h" }
  const dialect = DIALECTS[format]
  const meter = openMeter(dialect, request, { statusCode: 200, contentType: "application/json" })
  meter?.push(Buffer.from(JSON.stringify(answer)))
  expect(meter?.end({ complete: true }).model).toBe("gemini-2.5-flash")
  expect(dialect.prepare(request, { injectStreamUsage: false }).requestedModel).toBe("gemini-2.5-flash")
})
