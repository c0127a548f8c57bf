import { expect, test } from "vitest"
import type { RepriceableRow } from "../../src/database/repricings.ts"
import { isStillFree, readStoredUsage } from "../../src/operations/reprice/reading.ts"
import { toPriceQuery } from "../../src/operations/reprice/reprice.ts"

/** A row of llm_requests with the usage object of Anthropic's API, on a path that no dialect owns. */
const ROW: RepriceableRow = {
  id: "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d",
  ended_at: "2026-11-20 10:00:00+00",
  requested_at: new Date("2026-11-20T10:00:00Z"),
  provider: "acme",
  model: "claude-sonnet-4-6",
  requested_model: "claude-sonnet-4-6",
  request_path: "/custom",
  request_method: "POST",
  status_code: 200,
  input_tokens: "10",
  cached_tokens: "4",
  cache_creation_tokens: "0",
  cache_creation_1h_tokens: "0",
  output_tokens: "5",
  reasoning_tokens: "0",
  usage: { input_tokens: 6, cache_read_input_tokens: 4, output_tokens: 5 },
  usage_source: "reported",
  cost_status: "unpriced",
  input_cost: null,
  output_cost: null,
  total_cost: null,
  price: null,
  key_discount_percent: null,
  dialect: null,
  billing: null,
  source: null,
}

const ANTHROPIC = { input: 6, cacheRead: 4, output: 5 }
const usageOf = (row: typeof ROW, format?: "openai" | "anthropic") =>
  readStoredUsage(row, () => format)?.parts[0]?.usage

test("a row with a dialect is read in it, whatever the format of its provider is today", () => {
  expect(usageOf({ ...ROW, dialect: "anthropic" }, "openai")).toMatchObject(ANTHROPIC)
})

test("a row without a dialect is read in the one of its provider, else in the one of its path", () => {
  expect(usageOf(ROW, "anthropic")).toMatchObject(ANTHROPIC)
  expect(usageOf({ ...ROW, request_path: "/v1/messages" })).toMatchObject(ANTHROPIC)
})

test("a dialect that this program does not know counts as none", () => {
  expect(usageOf({ ...ROW, dialect: "cohere" }, "anthropic")).toMatchObject(ANTHROPIC)
})

test("the provider's prefix is no part of the path by which a row is read", () => {
  const row = { ...ROW, provider: "gemini", dialect: "gemini", usage: { promptTokenCount: 7, candidatesTokenCount: 3 } }
  const path = "/v1/projects/p/locations/europe-west1/publishers/google/models/gemini-3-flash:generateContent"
  const read = (request_path: string) => readStoredUsage({ ...row, request_path }, () => "gemini")
  expect(read(`/gemini${path}`)).toEqual(read(path))
  expect(read(path)).toMatchObject({ geo: "europe-west1" })
  const counted = { ...row, provider: "gemini", request_path: "/gemini/v1beta/models/g:countTokens" }
  expect(isStillFree(counted, undefined, () => "gemini")).toBe(true)
})

test("a report of a client is priced again from its token columns and its speed, so that it stays an estimate", () => {
  const usage = { event: "claude_code.api_request", input_tokens: 999_999, speed: "fast" }
  const reported = { ...ROW, source: "telemetry", dialect: null, request_path: "/v1/logs", usage }
  const { question, isFromColumns } = toPriceQuery(reported, () => "anthropic")
  expect(isFromColumns).toBe(true)
  expect(question.reading).toMatchObject({ speed: "fast", parts: [{ usage: ANTHROPIC }] })
})
