const { createPriceBook } = await import("../src/pricing/price-book.ts")
const { DIALECTS } = await import("../src/providers/catalog.ts")
const { readStoredAnswer } = await import("../src/providers/stored.ts")
const { EMPTY_RECORD } = await import("../src/core/row-columns.ts")
const { toTokenTotals } = await import("../src/core/usage.ts")
const { uuidV7 } = await import("../src/kit/uuid.ts")

/** @typedef {{ provider: "openai" | "anthropic" | "gemini", path: string, models: [requested: string, answered: string][] }} Kind */
/** @type {Kind[]} */
const KINDS = [
  {
    provider: "openai",
    path: "/v1/chat/completions",
    models: [
      ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"],
      ["gpt-4o", "gpt-4o-2024-08-06"],
      ["gpt-4.1", "gpt-4.1-2025-04-14"],
      ["gpt-5", "gpt-5-2025-08-07"],
    ],
  },
  {
    provider: "anthropic",
    path: "/v1/messages",
    models: [
      ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"],
      ["claude-haiku-4-5", "claude-haiku-4-5-20251001"],
    ],
  },
  {
    provider: "gemini",
    path: "/v1beta/models/gemini-2.5-flash:generateContent",
    models: [
      ["gemini-2.5-flash", "gemini-2.5-flash"],
      ["gemini-2.5-pro", "gemini-2.5-pro"],
    ],
  },
]

const FIRST_DAY = Date.parse("2026-11-01T00:00:00Z")
/** As in the rows of `bench -- usage`: five million in 30 days. */
const MS_PER_ROW = (30 * 86_400_000) / 5_000_000

/** Opens the prices that come with the program, and returns what makes rows with them. */
export async function openPlainRows() {
  const book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
  return { makeRows: (/** @type {Batch} */ batch) => makeRows(book, batch), close: () => book.close() }
}

/** @typedef {{ from: number, count: number, keys: readonly string[], hashes: readonly string[] }} Batch */

/**
 * Makes rows number `from` and on, in the order of time.
 * @param {import("../src/pricing/price-book.ts").PriceBook} book
 * @param {Batch} batch
 * @returns {import("../src/core/log-record.ts").LogRecord[]}
 */
function makeRows(book, { from, count, keys, hashes }) {
  return Array.from({ length: count }, (_, i) => {
    const at = FIRST_DAY + Math.floor((from + i) * MS_PER_ROW)
    const { provider, path, models } = choose(KINDS)
    const [requested, answered] = choose(models)
    const usage = makeUsage(provider)
    const reading = readStoredAnswer(DIALECTS[provider], { method: "POST", path, model: answered, usage })
    if (reading === undefined) throw new Error(`no usage is read for ${provider}`)
    const cost = book.price({ provider, requestedModel: requested, reading, at })
    if (cost.status !== "exact") throw new Error(`${answered} has no exact price: ${cost.price?.reason}`)
    const totals = toTokenTotals(reading.parts)
    const took = Math.floor(400 + 4000 * Math.random() ** 2)
    const ended = new Date(at + took).toISOString()
    return {
      ...EMPTY_RECORD,
      id: uuidV7(at),
      majordomo_api_key_id: choose(keys),
      provider_api_key_hash: choose(hashes),
      provider,
      model: answered,
      requested_model: requested,
      request_path: path,
      request_method: "POST",
      requested_at: new Date(at).toISOString(),
      responded_at: ended,
      response_time_ms: took,
      first_byte_ms: Math.floor(took / 4),
      input_tokens: totals.inputTokens,
      cached_tokens: totals.cachedTokens,
      cache_creation_tokens: totals.cacheCreationTokens,
      cache_creation_1h_tokens: totals.cacheCreation1hTokens,
      output_tokens: totals.outputTokens,
      reasoning_tokens: totals.reasoningTokens,
      input_cost: cost.inputCost,
      output_cost: cost.outputCost,
      total_cost: cost.totalCost,
      cost_status: cost.status,
      price: cost.price,
      usage,
      usage_source: "reported",
      dialect: provider,
      status_code: 200,
      streamed: Math.random() < 0.5,
      outcome: "complete",
      created_at: ended,
    }
  })
}

/** Returns the usage of an answer as the provider writes it. A third of the requests read from a cache. */
function makeUsage(/** @type {Kind["provider"]} */ provider) {
  const input = 20 + Math.floor(8000 * Math.random() ** 2)
  const output = 1 + Math.floor(1500 * Math.random() ** 2)
  const cached = Math.random() < 0.33 ? Math.floor(input / 2) : 0
  if (provider === "openai") {
    return {
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: 0,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    }
  }
  if (provider === "anthropic") {
    return {
      input_tokens: input - cached,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: cached,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens: output,
      service_tier: "standard",
    }
  }
  return {
    promptTokenCount: input,
    candidatesTokenCount: output,
    totalTokenCount: input + output,
    ...(cached > 0 && { cachedContentTokenCount: cached }),
    promptTokensDetails: [{ modality: "TEXT", tokenCount: input }],
  }
}

/** @template T @param {readonly T[]} list @returns {T} */
function choose(list) {
  return /** @type {T} */ (list[Math.floor(Math.random() * list.length)])
}
