import { expect, test } from "vitest"
import type { Call, Ending } from "../../src/core/call.ts"
import { NO_READING, NO_USAGE, type Reading } from "../../src/core/usage.ts"
import { toLogRecord } from "../../src/gateway/log-record.ts"

const READING: Reading = {
  ...NO_READING,
  model: "gpt-4o",
  parts: [{ model: "gpt-4o", usage: { ...NO_USAGE, input: 15, output: 9 }, contextTokens: 15, role: "answer" }],
  raw: { input_tokens: 15, output_tokens: 9 },
  source: "reported",
}

function rowOf(
  method: string,
  reading: Reading,
  { headers = {}, error }: { headers?: Call["headers"]; error?: string } = {},
) {
  const call: Call = {
    id: "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d",
    receivedAt: 0,
    method,
    path: "/v1/responses/resp_1",
    query: "",
    rawHeaders: [],
    headers,
    metadata: {},
    body: Buffer.alloc(0),
  }
  const ending: Ending = {
    outcome: "complete",
    statusCode: 200,
    respondedAt: 1,
    firstByteMs: 1,
    streamed: false,
    error,
    reading,
  }
  const cost = { status: "free", inputCost: "0", outputCost: "0", totalCost: "0", price: undefined } as const
  const route = { provider: { name: "openai" }, format: "openai" }
  const prepared = { requestedModel: undefined }
  const more = { route, prepared, credentialHash: undefined, bodies: undefined }
  return toLogRecord({ call, caller: { keyId: "k" }, ending, cost, ...more })
}

test("a stored answer that is retrieved again keeps its usage, and its tokens are not counted a second time", () => {
  expect(rowOf("GET", { ...READING, free: true })).toMatchObject({
    input_tokens: 0,
    output_tokens: 0,
    usage: { input_tokens: 15, output_tokens: 9 },
    usage_source: "reported",
  })
})

test("tokens count for results that are billed when they are fetched, and for free answers to a POST", () => {
  expect(rowOf("GET", READING)).toMatchObject({ input_tokens: 15, output_tokens: 9 })
  expect(rowOf("POST", { ...READING, free: true })).toMatchObject({ input_tokens: 15, output_tokens: 9 })
})

test("the alias of a provider's key is UTF-8, and an error message and an alias are truncated between characters", () => {
  const alias = (text: string) => ({ "x-majordomo-provider-alias": Buffer.from(text).toString("latin1") })
  expect(rowOf("GET", READING, { headers: alias("Zürich \ufffd") })).toMatchObject({
    provider_api_key_alias: "Zürich \ufffd",
  })
  const long = rowOf("GET", READING, { headers: alias(`${"x".repeat(254)}🎉`), error: `${"x".repeat(499)}🎉` })
  expect(long).toMatchObject({ provider_api_key_alias: "x".repeat(254), error_message: "x".repeat(499) })
})
