// A process of `npm run bench -- ingest`: a ledger with its own journal that gets rows faster than the database takes them.
import { setImmediate as nextTick } from "node:timers/promises"

const [url, dir] = process.argv.slice(2)
const { openDatabase } = await import("../src/database/open.ts")
const { openLedger } = await import("../src/database/ledger/ledger.ts")
const { uuidV7 } = await import("../src/kit/uuid.ts")

/** A gateway that is so far behind accepts no further rows until some are written, so that the journal stays small. */
const MAX_WAITING = 20_000
const MODELS = 20
const KEYS = 50
const USERS = 10_000
const FEATURES = ["chat", "search", "summary", "agent", "title", "embed", "review", "translate"]

const db = await openDatabase(
  {
    driver: "postgres",
    dataDir: /** @type {string} */ (dir),
    postgres: /** @type {any} */ ({ url, isSet: true, maxConns: 4 }),
  },
  { role: "command", log: () => {} },
)
/** @type {string[]} */
const warnings = []
let batches = 0
let slowestMs = 0

/** @param {number} batchBytes 0: as the gateway has it */
function open(batchBytes) {
  return openLedger({
    db,
    dir: /** @type {string} */ (dir),
    settings: { journal: true, syncIntervalMs: 100, maxJournalBytes: 2 ** 30, whenFull: "drop" },
    now: Date.now,
    log: (level, line) => level !== "info" && warnings.push(line.replaceAll(/\d+/g, "N")),
    onBatch(_, ms) {
      batches++
      slowestMs = Math.max(slowestMs, ms)
    },
    ...(batchBytes > 0 && { timing: { batchBytes, maxBatchBytes: batchBytes } }),
  })
}

// The parent reads how much CPU the sessions have used before it lets them end.
process.once("disconnect", () => process.exit(0))
process.once("message", async (/** @type {{ seconds: number, batchBytes: number }} */ { seconds, batchBytes }) => {
  const ledger = await open(batchBytes)
  const until = Date.now() + seconds * 1000
  for (let n = 0; Date.now() < until; n++) {
    ledger.append(/** @type {any} */ (aRow(n)))
    if (n % 100 !== 99) continue
    do await nextTick()
    while (ledger.stats().waiting > MAX_WAITING && Date.now() < until)
  }
  await ledger.drain(600_000)
  const { accepted } = ledger.stats()
  await ledger.close()
  process.send?.({ accepted, batches, slowestMs, warnings: warnings.slice(0, 5) })
})
process.send?.("ready")

/** An ordinary priced row. The first models and keys are used more often than the last ones. @param {number} n */
function aRow(n) {
  const at = new Date().toISOString()
  const model = `model-${Math.floor(MODELS * Math.random() ** 2)}`
  const key = Math.floor(KEYS * Math.random() ** 2)
  const feature = FEATURES[n % FEATURES.length]
  const line = { model, rate: "0.15", per: "million", factor: "1", source: "llm-prices.com", date: "2026-11-01" }
  return {
    ...{ id: uuidV7(Date.now()), majordomo_api_key_id: `0197a000-0000-7000-8000-${String(key).padStart(12, "0")}` },
    ...{
      provider: "openai",
      model,
      requested_model: model,
      request_path: "/v1/chat/completions",
      request_method: "POST",
    },
    ...{ provider_api_key_hash: "a1b2c3d4".repeat(8), requested_at: at, responded_at: at, created_at: at },
    ...{ response_time_ms: 400 + (n % 1000), first_byte_ms: 100, input_tokens: 1000, cached_tokens: 400 },
    ...{ cache_creation_tokens: 0, cache_creation_1h_tokens: 0, output_tokens: 500, reasoning_tokens: 0 },
    ...{ input_cost: "0.00012", output_cost: "0.0003", total_cost: "0.00042", cost_status: "exact" },
    price: {
      lines: [
        { side: "input", bucket: "input", quantity: 600, amount: "0.00009", ...line },
        { side: "input", bucket: "cacheRead", quantity: 400, amount: "0.00003", ...line },
        { side: "output", bucket: "output", quantity: 500, amount: "0.0003", ...line },
      ],
    },
    ...{ usage: { prompt_tokens: 1000, completion_tokens: 500 }, usage_source: "reported", dialect: "openai" },
    ...{ status_code: 200, streamed: false, outcome: "complete" },
    raw_metadata: { "User-Id": `u${Math.floor(USERS * Math.random())}`, Feature: feature },
  }
}
