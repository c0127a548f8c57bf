import { describe, expect, test } from "vitest"
import { aSpendLog } from "./_litellm.ts"
import { readAll, toCsvText } from "./_read.ts"

const REQUEST = {
  id: "chatcmpl-1",
  startedAt: Date.parse("2026-11-02T10:00:00.100Z"),
  endedAt: Date.parse("2026-11-02T10:00:01.350Z"),
  firstByteMs: 300,
  provider: "openai",
  model: "gpt-4o-mini",
  requestedModel: "fast",
  path: "/v1/chat/completions",
  tokens: { input: 600, cacheRead: 400, cacheWrite: 0, cacheWrite1h: 0, output: 400, reasoning: 100 },
  cost: { total: "0.00042" },
  free: undefined,
  statusCode: 200,
  error: undefined,
  isStreamed: true,
  metadata: { Team: "Search", "User-Id": "anna", "Api-Key": "search-service", Tags: "batch", "Cost-Center": "C-17" },
}

const read = async (changes: Readonly<Record<string, unknown>>) =>
  (await readAll("litellm", JSON.stringify(aSpendLog(1, changes))))[0]

describe("a spend log of LiteLLM", () => {
  const log = aSpendLog()
  test.each([
    ["JSON lines", `${JSON.stringify(log)}\n`],
    ["a JSON array", JSON.stringify([log], null, 2)],
    ["a page of its API", JSON.stringify({ data: [log], total: 1 })],
    ["CSV", toCsvText([log])],
    [
      "CSV of the database",
      toCsvText([{ ...log, startTime: "2026-11-02 10:00:00.1", endTime: "2026-11-02 10:00:01.35" }]),
    ],
  ])("is the same request as %s", async (_, text) => {
    expect(await readAll("litellm", text)).toEqual([REQUEST])
    expect(await readAll("litellm", text, 7)).toEqual([REQUEST])
  })

  test("of Anthropic: reads and writes of the cache are taken out of its prompt tokens", async () => {
    const usage_object = {
      cache_read_input_tokens: 300,
      cache_creation_input_tokens: 200,
      prompt_tokens_details: { cached_tokens: 300, cache_creation_token_details: { ephemeral_1h_input_tokens: 150 } },
    }
    expect(await read({ metadata: { usage_object } })).toMatchObject({
      tokens: { input: 500, cacheRead: 300, cacheWrite: 50, cacheWrite1h: 150, output: 500, reasoning: 0 },
    })
  })

  test.each([
    ["an answer from its cache is free", { cache_hit: "True", spend: 0 }, "LiteLLM answered from its own cache"],
    [
      "a failure without usage is free",
      { status: "failure", spend: 0, total_tokens: 0 },
      "the request failed without usage",
    ],
    ["a spend of 0 for tokens is no reason", { spend: 0 }, undefined],
  ])("%s", async (_, changes, free) => {
    expect(await read(changes)).toMatchObject({ free, cost: { total: "0" } })
  })

  test("a failure has the status and the message of the provider", async () => {
    const error_information = { error_code: "429", error_message: "slow down" }
    expect(await read({ status: "failure", metadata: { error_information } })).toMatchObject({
      statusCode: 429,
      error: "slow down",
    })
    expect(await read({ status: "failure", metadata: {} })).toMatchObject({ statusCode: 500 })
  })

  test.each([
    [
      "the provider of the log",
      { custom_llm_provider: "vertex_ai", model: "gemini-2.5-pro" },
      "vertex",
      "gemini-2.5-pro",
    ],
    [
      "the one before the model",
      { custom_llm_provider: "", model: "together_ai/meta/llama" },
      "together",
      "meta/llama",
    ],
    [
      "the one of the model's name",
      { custom_llm_provider: null, model: "claude-sonnet-4-6" },
      "anthropic",
      "claude-sonnet-4-6",
    ],
    [
      "a part of the model's name stays",
      { custom_llm_provider: "openrouter", model: "openai/gpt-5" },
      "openrouter",
      "openai/gpt-5",
    ],
  ])("its provider is %s", async (_, changes, provider, model) => {
    expect(await read(changes)).toMatchObject({ provider, model })
  })

  test.each([
    [{ request_id: "" }, "line 1: request_id is missing"],
    [{ startTime: "yesterday" }, "line 1: startTime is not a time"],
    [{ prompt_tokens: -1 }, "line 1: prompt_tokens is not a whole number of 0 or more"],
    [{ spend: "1e12" }, "line 1: spend is not a cost in USD"],
    [{ call_type: "call_mcp_tool" }, "skipped: calls that reach no model"],
  ])("that lacks something is named, without its values: %o", async (changes, problem) => {
    expect(await read(changes)).toBe(problem)
  })

  test("a damaged line does not take its neighbors with it", async () => {
    const lines = [JSON.stringify(aSpendLog(1)), '{"request_id": "chatc', JSON.stringify(aSpendLog(3))]
    expect(await readAll("litellm", lines.join("\n"), 11)).toMatchObject([
      { id: "chatcmpl-1" },
      "line 2: the line is not a JSON object",
      { id: "chatcmpl-3" },
    ])
    const cells = toCsvText([aSpendLog(1), aSpendLog(2)]).split("\n")
    expect(await readAll("litellm", [...cells, "one,two"].join("\n"))).toMatchObject(
      [{ id: "chatcmpl-1" }, { id: "chatcmpl-2" }, /^line 4: the line has 2 cells/].map((each) =>
        each instanceof RegExp ? expect.stringMatching(each) : each,
      ),
    )
  })
})
