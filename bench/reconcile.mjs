// npm run bench -- reconcile [--rows 1000000] [--rounds 3]
// Loads a month of requests of one provider into a PostgreSQL that is started for it, and prints how long it takes to read the
// recorded side of a bill from it and to compare it with a bill of as many models and tiers.
import "./_typescript.mjs"
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import pg from "pg"
import { INSERT, MODELS } from "./_usage-rows.mjs"

const { values } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, rounds: { type: "string", default: "3" } },
})
const GOAL_SECONDS = 10
const DAYS = 30
const { askRecorded, readRecorded } = await import("../src/reports/index.ts")
const { compareBills } = await import("../src/reconcile/compare/index.ts")
const { openDatabase } = await import("../src/database/open.ts")
const { readSlowly } = await import("../src/database/slow-read.ts")
const { startPostgres } = await import("../test/support/_postgres-server.ts")

const server = await startPostgres({ settings: { shared_buffers: "512MB", max_wal_size: "8GB" } })
const awake = setInterval(() => {}, 60_000) // the server's handles alone do not keep this process alive
const client = new pg.Client({ connectionString: server.url })
try {
  await client.connect()
  await load()
  await measure()
} finally {
  await client.end()
  await server.remove()
  clearInterval(awake)
}

async function load() {
  await client.query(readFileSync(new URL("../schema.sql", import.meta.url), "utf8"))
  await client.query("ALTER TABLE llm_requests DISABLE TRIGGER USER")
  await client.query("INSERT INTO api_keys (key_hash, name) VALUES ('bench', 'bench')")
  await client.query(MODELS)
  await client.query("UPDATE bench_models SET provider = 'openai'")
  await client.query(INSERT.replace("50 * power", "1 * power"), [0, Number(values.rows), 1, DAYS])
  await client.query("VACUUM (ANALYZE) llm_requests")
}

async function measure() {
  const storage = { driver: "postgres", dataDir: "", postgres: { isSet: true, url: server.url } }
  const database = await openDatabase(storage, { role: "command", log: () => {} })
  const question = { provider: "openai", since: dayAgo(DAYS), until: dayAgo(-1) }
  for (let round = 0; round < Number(values.rounds); round++) {
    const start = performance.now()
    const { rows } = await readSlowly(database, askRecorded(question))
    const recorded = readRecorded(rows, question)
    const read = performance.now()
    const result = compareBills(toBill(recorded, question), recorded, { settledBefore: new Date(), keys: new Map() })
    const [reading, comparing] = [(read - start) / 1000, (performance.now() - read) / 1000]
    const requests = recorded.requests.reduce((sum, each) => sum + each.requests, 0)
    const verdict = reading + comparing < GOAL_SECONDS ? "met" : "missed"
    process.stdout.write(
      `${requests} requests, ${recorded.lines.length} lines, ${result.causes.length} causes: read in ${reading.toFixed(1)} s, compared in ${comparing.toFixed(1)} s (goal: ${GOAL_SECONDS} s, ${verdict})\n`,
    )
  }
  await database.close()
}

/** A bill of the same usage, with 10 % more output tokens. @param {import("../src/core/reconciliation.ts").RecordedSide} recorded */
function toBill({ lines }, { since, until }) {
  const billed = lines.map(({ day, model, tier, bucket, quantity }) => {
    const tokens = bucket === "output" ? (BigInt(quantity) * 11n) / 10n : BigInt(quantity)
    const names = { day, model, tier: tier ?? "standard", bucket, key: "key_1", project: undefined, item: undefined }
    const cost = (Number(tokens) * 0.15e-6).toFixed(9)
    return { ...names, requests: undefined, quantity: String(tokens), listCost: undefined, cost }
  })
  const head = { provider: "openai", account: undefined, source: "api", fetchedAt: new Date().toISOString(), notes: [] }
  return { ...head, since, until, lines: billed }
}

/** @param {number} days */
function dayAgo(days) {
  return new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
}
