import type { LogRecord } from "../../src/core/log-record.ts"
import type { PriceBookOptions } from "../../src/pricing/options.ts"
import type { Format } from "../../src/providers/catalog.ts"

/** The columns that a row must have. A list means any of its values; null means no value. */
export type ExpectedRow = {
  readonly [K in keyof LogRecord]?: LogRecord[K] | null | readonly (LogRecord[K] | null)[]
}

/** What must come of one file of inputs, and the setup that the file only describes. */
export interface Expectation {
  /** One row per request, in their order. A single row holds for every request. */
  readonly rows?: readonly ExpectedRow[]
  /** The total cost of all rows. */
  readonly sum?: string
  /** The gateway answers every request itself: nothing is sent to a provider, so there is no row. */
  readonly isRejected?: boolean
  /** The provider that each request names, with its format, and the path of its base URL. */
  readonly provider?: { readonly name: string; readonly format: Format; readonly basePath?: string }
  /** The provider answers only requests to this path, and all others with 404. */
  readonly target?: string
  readonly prices?: Partial<PriceBookOptions>
  /** The content of `pricing.fallback_file`. */
  readonly priceFile?: Readonly<Record<string, unknown>>
  /** The body of each request, compressed with gzip. */
  readonly gzip?: Readonly<Record<string, unknown>>
  /** The body of each answer, where the file describes it in words. */
  readonly answer?: "small JSON" | "chat stream" | "never"
  /**
   * The rows are those that a real ledger leaves in a database, because a bill comes in another request. `foreign`: the
   * file does not create the job, so the gateway must bill jobs that it did not create.
   */
  readonly jobs?: "own" | "foreign"
  /** Why the case is expected to fail for now. A failure is then listed, and a success is pointed out. */
  readonly pending?: string
}

const EXACT = "exact"

/** The expectation of each file about money. */
export const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  "anthropic-batch-twice.json": { sum: "0.00525", jobs: "foreign" },
  "anthropic-delta-cache-total.json": {
    rows: [{ input_tokens: 3604, cached_tokens: 3604, cost_status: "inconsistent" }],
  },
  "assistants-run-polled.json": { sum: "0.00045", jobs: "foreign" },
  "background-response.json": { sum: "0.014", jobs: "own" },
  "base-url-with-v1.json": {
    rows: [{ status_code: 200 }],
    provider: { name: "x", format: "openai", basePath: "/openai/v1" },
    target: "/openai/v1/chat/completions",
  },
  "batch-output-twice.json": { sum: "0.000675", jobs: "foreign" },
  "cache-outside-prompt-tokens.json": {
    rows: [{ input_tokens: 12_100, output_tokens: 10, total_cost: "0.01095" }],
  },
  "cache-split-above-total.json": { rows: [{ cost_status: "inconsistent" }] },
  "client-left-before-head.json": {
    rows: [{ outcome: "client_left", status_code: 499, total_cost: null, cost_status: ["unpriced", "estimated"] }],
    answer: "never",
  },
  "cloud-credential-to-anthropic.json": { isRejected: true },
  "compressed-embeddings.json": {
    rows: [{ model: "text-embedding-3-small", total_cost: "0.000002" }],
    gzip: { model: "text-embedding-3-small", input: "x" },
  },
  "compressed-request.json": {
    // The file expects `reported`. The bytes are forwarded unchanged, so that without include_usage only an estimate is left.
    rows: [{ requested_model: "gpt-4o-mini", usage_source: ["reported", "estimated"] }],
    gzip: { model: "gpt-4o-mini", stream: true, messages: [{ role: "user", content: "x" }] },
    answer: "chat stream",
  },
  "deepinfra-estimated-cost.json": {
    rows: [{ total_cost: "0.000008775" }],
    provider: { name: "deepinfra", format: "openai" },
  },
  "fine-tuned-cached.json": { rows: [{ total_cost: "0.007125" }] },
  "free-calls-unpriced.json": { rows: [{ cost_status: "free", total_cost: "0" }], answer: "small JSON" },
  "gemini-file-search-chunks.json": { rows: [{ total_cost: "0.00055" }] },
  "gemini-inline-batch.json": { sum: "0.00155", jobs: "foreign" },
  "gemini-interaction-background.json": { sum: "0.32", jobs: "own" },
  "gemini-maps.json": { rows: [{ total_cost: "0.02555" }] },
  "gemini3-queries.json": { rows: [{ total_cost: "0.0312" }] },
  "go-price-file.json": {
    rows: [{ total_cost: "0.02012" }, { total_cost: "0.765" }],
    priceFile: {
      "gemini-3-pro-preview": { input_price_per_million: 2, output_price_per_million: 12, cached_price_per_million: 0 },
      "gemini-2.5-pro": {
        input_price_per_million: 1.25,
        output_price_per_million: 10,
        cached_price_per_million: 0.125,
      },
      "gemini-2.5-pro-200k": {
        input_price_per_million: 2.5,
        output_price_per_million: 15,
        cached_price_per_million: 0.25,
      },
    },
  },
  "image-tool-silent.json": { rows: [{ cost_status: "estimated" }] },
  "openai-12h-cache-write.json": {
    rows: [{ cache_creation_tokens: 2000, cost_status: "estimated" }],
  },
  "openrouter-free.json": {
    rows: [{ total_cost: "0", cost_status: [EXACT, "free"] }],
    provider: { name: "openrouter", format: "openai" },
  },
  "openrouter-long-cost.json": {
    rows: [{ total_cost: "0.00765" }],
    provider: { name: "openrouter", format: "openai" },
  },
  "openrouter-messages-cost.json": {
    rows: [{ total_cost: "0.0111" }],
    provider: { name: "openrouter", format: "anthropic" },
  },
  "override-dated-answer.json": {
    rows: [{ total_cost: "0.00035", cost_status: EXACT }],
    prices: { overrides: { "gpt-4o-mini": [{ base: { input: "0.10", output: "0.50" }, tiers: [] }] } },
  },
  "provider-named-azure.json": {
    rows: [{ provider: "azure", total_cost: "0.0075" }],
    provider: { name: "azure", format: "openai" },
    prices: { baseUrls: { azure: "https://name.openai.azure.com" } },
  },
  "search-preview-chat.json": { rows: [{ cost_status: ["estimated", EXACT], total_cost: "0.0325" }] },
  "transcription-by-duration.json": { rows: [{ total_cost: null, cost_status: "unpriced" }] },
  "vertex-claude-free.json": {
    rows: [
      { input_tokens: 100, output_tokens: 10, usage_source: "reported", cost_status: [EXACT, "estimated", "unpriced"] },
    ],
    provider: { name: "vertex-claude", format: "anthropic" },
  },
  "vertex-mistral-free.json": {
    rows: [{ input_tokens: 1000, cost_status: [EXACT, "unpriced"] }],
    provider: { name: "mistral", format: "openai" },
  },
  "web-search-preview-4o.json": { rows: [{ total_cost: "0.0575" }] },
}

/** The files that are not about money, with the test that holds what they ask for. */
export const HELD_BY: Readonly<Record<string, string>> = {
  "database-messages.json":
    "database/odd-databases.test.ts: is refused in one line if it is read-only by default, and leaves no key",
  "go-config-gcs.json":
    "config/load.test.ts: [U7] a configuration file of the Go gateway, of any version, never stops the program",
  "json-keepalive.json": "gateway/held-answers.test.ts: [L11] an answer that is no stream",
  "slow-upload.json":
    "matrix/refusals.test.ts: [TMO-04] [TMO-05] a body that arrives slowly is not cut while bytes flow, and 408 follows server.read_timeout without any",
  "websocket-upgrade.json":
    "matrix/refusals.test.ts: [FRM-15] a WebSocket gets 426 in the form of %s, without Upgrade, and is not forwarded",
}
