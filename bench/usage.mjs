// npm run bench -- usage [--rows 5000000] [--rounds 5] [--only TEXT] [--loaded | --load]
// Loads a month of requests into a PostgreSQL (30 days, 20 models, 50 keys, 10,000 users, 8 features) and compares the time
// of each report with that of the plain query of docs/commands.md. DATABASE_URL names a database for this purpose, which is emptied;
// without it, a server is started. --load only fills the database, and --loaded uses a database that an earlier run filled.
import "./_typescript.mjs"
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import pg from "pg"
import { alignColumns } from "./_report.mjs"
import { INSERT, MODELS } from "./_usage-rows.mjs"

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "5000000" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    load: { type: "boolean", default: false },
    loaded: { type: "boolean", default: false },
  },
})
const rows = Number(values.rows)
const rounds = Number(values.rounds)
const DAYS = 30
const SCHEMA = readFileSync(new URL("../schema.sql", import.meta.url), "utf8")
const { findDimension } = await import("../src/reports/index.ts")
const { withAsker } = await import("../src/operations/usage/asker.ts")
const { measureLatency } = await import("../src/operations/usage/latency.ts")
const { reportErrors } = await import("../src/operations/usage/errors.ts")
const { openDatabase } = await import("../src/database/open.ts")

/** The dimensions of latencies in plain queries. @type {Record<string, string>} */
const PLAIN = {
  model: "model",
  provider: "provider",
  key: "majordomo_api_key_id",
  day: "date(created_at)",
  hour: "date_trunc('hour', created_at)",
}

/** @type {{ what: string, by: string[], tz?: string, hours?: number, days?: number, filters?: object, goalMs?: number, plain: string }[]} */
const REPORTS = [
  {
    what: "--by model",
    by: ["model"],
    goalMs: 100,
    plain: "SELECT model, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by provider",
    by: ["provider"],
    goalMs: 100,
    plain: "SELECT provider, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by key",
    by: ["key"],
    goalMs: 100,
    plain:
      "SELECT ak.name, count(*), sum(lr.total_cost) FROM llm_requests lr JOIN api_keys ak ON lr.majordomo_api_key_id = ak.id WHERE lr.created_at >= $1 GROUP BY ak.id, ak.name",
  },
  {
    what: "--by day",
    by: ["day"],
    goalMs: 100,
    plain:
      "SELECT date(created_at) AS date, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by day, America/Los_Angeles",
    by: ["day"],
    tz: "America/Los_Angeles",
    goalMs: 100,
    plain:
      "SELECT date(created_at AT TIME ZONE 'America/Los_Angeles') AS date, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by day, Asia/Kolkata",
    by: ["day"],
    tz: "Asia/Kolkata",
    plain:
      "SELECT date(created_at AT TIME ZONE 'Asia/Kolkata') AS date, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by hour",
    by: ["hour"],
    plain:
      "SELECT date_trunc('hour', created_at), count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by key, America/Los_Angeles",
    by: ["key"],
    tz: "America/Los_Angeles",
    goalMs: 100,
    plain: "SELECT majordomo_api_key_id, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by key, Pacific/Chatham",
    by: ["key"],
    tz: "Pacific/Chatham",
    goalMs: 100,
    plain: "SELECT majordomo_api_key_id, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by key,day, America/Los_Angeles",
    by: ["key", "day"],
    tz: "America/Los_Angeles",
    plain:
      "SELECT majordomo_api_key_id, date(created_at AT TIME ZONE 'America/Los_Angeles'), count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1, 2",
  },
  {
    what: "--by model --key NAME",
    by: ["model"],
    filters: { key: "key 7" },
    plain:
      "SELECT model, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 AND majordomo_api_key_id = (SELECT id FROM api_keys WHERE name = 'key 7') GROUP BY 1",
  },
  {
    what: "--by model --since 24h",
    by: ["model"],
    hours: 24,
    goalMs: 100,
    plain: "SELECT model, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by User-Id (10,000 values)",
    by: ["User-Id"],
    goalMs: 300,
    plain:
      "SELECT raw_metadata->>'User-Id' AS user_id, sum(total_cost) FROM llm_requests WHERE raw_metadata->>'User-Id' IS NOT NULL AND created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by User-Id --since 7d",
    by: ["User-Id"],
    days: 7,
    goalMs: 300,
    plain:
      "SELECT raw_metadata->>'User-Id' AS user_id, sum(total_cost) FROM llm_requests WHERE raw_metadata->>'User-Id' IS NOT NULL AND created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by User-Id, America/Los_Angeles",
    by: ["User-Id"],
    tz: "America/Los_Angeles",
    goalMs: 300,
    plain:
      "SELECT raw_metadata->>'User-Id' AS user_id, sum(total_cost) FROM llm_requests WHERE raw_metadata->>'User-Id' IS NOT NULL AND created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by Feature",
    by: ["Feature"],
    goalMs: 300,
    plain:
      "SELECT raw_metadata->>'Feature' AS feature, sum(total_cost) FROM llm_requests WHERE raw_metadata->>'Feature' IS NOT NULL AND created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by model --where User-Id=u42",
    by: ["model"],
    filters: { where: { "User-Id": "u42" } },
    goalMs: 300,
    plain:
      "SELECT model, count(*), sum(total_cost) FROM llm_requests WHERE raw_metadata->>'User-Id' = 'u42' AND created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by day --where Feature=search",
    by: ["day"],
    filters: { where: { Feature: "search" } },
    goalMs: 300,
    plain:
      "SELECT date(created_at), count(*), sum(total_cost) FROM llm_requests WHERE raw_metadata->>'Feature' = 'search' AND created_at >= $1 GROUP BY 1",
  },
  {
    what: "--by status (no rollups)",
    by: ["status"],
    plain: "SELECT status_code, count(*), sum(total_cost) FROM llm_requests WHERE created_at >= $1 GROUP BY 1",
  },
]

/** @type {{ what: string, run: "latency" | "errors", by: string[], goalMs: number, plain: string }[]} */
const FURTHER = [
  ...["model", "provider", "key", "day", "hour"].map((by) => ({
    what: `latency --by ${by}`,
    run: /** @type {const} */ ("latency"),
    by: [by],
    goalMs: 200,
    plain: `SELECT ${PLAIN[by]}, percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY response_time_ms) FROM llm_requests WHERE created_at >= $1 GROUP BY 1`,
  })),
  {
    what: "errors",
    run: "errors",
    by: [],
    goalMs: 200,
    plain:
      "SELECT status_code, outcome, error_message, count(*) FROM llm_requests WHERE created_at >= $1 AND status_code >= 400 GROUP BY 1, 2, 3",
  },
]

const server = process.env.DATABASE_URL ? undefined : await startServer()
const url = process.env.DATABASE_URL ?? server?.url
const client = new pg.Client({ connectionString: url })
const awake = setInterval(() => {}, 60_000) // the server's handles alone do not keep this process alive
try {
  await client.connect()
  if (!values.loaded) await load()
  if (!values.load) await report()
  await sizes()
} finally {
  await client.end()
  await server?.remove()
  clearInterval(awake)
}

async function startServer() {
  const { startPostgres } = await import("../test/support/_postgres-server.ts")
  return startPostgres({ settings: { shared_buffers: "512MB", max_wal_size: "8GB", maintenance_work_mem: "512MB" } })
}

async function load() {
  await client.query(SCHEMA)
  await client.query("TRUNCATE llm_requests, api_keys CASCADE")
  // Indexes and rollups are created once at the end, because doing so in batches would take far longer.
  const { rows: indexes } = await client.query(
    "SELECT indexrelid::regclass AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index WHERE indrelid = 'llm_requests'::regclass AND NOT indisprimary",
  )
  for (const { name } of indexes) await client.query(`DROP INDEX ${name}`)
  await client.query("ALTER TABLE llm_requests DISABLE TRIGGER USER")
  await client.query(
    "INSERT INTO api_keys (key_hash, name) SELECT 'bench ' || n, 'key ' || n FROM generate_series(1, 50) n",
  )
  await client.query(MODELS)
  await step("rows", () => Promise.all([insert(0, 2), insert(1, 2)]))
  await client.query("ALTER TABLE llm_requests ENABLE TRIGGER USER")
  await step("indexes", async () => {
    for (const { definition } of indexes) await client.query(definition.replace(" ON ONLY ", " ON "))
  })
  await client.query(
    "INSERT INTO llm_usage_metadata_names VALUES ('User-Id', true, true, true), ('Feature', true, true, true) ON CONFLICT DO NOTHING",
  )
  await step("sums", () => client.query("SELECT majordomo_count_again()"))
  await step("vacuum", () => client.query("VACUUM (ANALYZE)"))
}

/** @param {string} what @param {() => Promise<unknown>} work */
async function step(what, work) {
  const start = performance.now()
  await work()
  process.stderr.write(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}

/** Inserts one part of the rows on its own connection. @param {number} part @param {number} of */
async function insert(part, of) {
  const own = new pg.Client({ connectionString: url })
  own.on("error", () => {}) // the other part failed, and the server has stopped
  await own.connect()
  await own.query(INSERT, [part, Math.floor(rows / of), of, DAYS])
  await own.end()
}

async function report() {
  const storage = { driver: "postgres", dataDir: "", postgres: { isSet: true, url } }
  const database = await openDatabase(storage, { role: "command", log: () => {} })
  const RUN = {
    usage: (question) => withAsker(database, (asker) => asker.ask(question)),
    latency: (question) => measureLatency({ database }, question),
    errors: (question) => reportErrors({ database }, { ...question, limit: 50 }),
  }
  const {
    rows: [{ now }],
  } = await client.query("SELECT max(created_at) AS now FROM llm_requests")
  const midnight = Math.floor(Number(now) / 86_400_000) * 86_400_000
  const lines = [["report", "gateway", "plain query", "goal", ""]]
  for (const { what, run, by, tz = "UTC", hours, days = DAYS - 1, filters = {}, goalMs, plain } of [
    ...REPORTS,
    ...FURTHER,
  ]) {
    if (!what.includes(values.only)) continue
    const since = hours === undefined ? toMidnight(midnight - days * 86_400_000, tz) : Number(now) - hours * 3_600_000
    const question = { by: by.map((name) => findDimension(name)), period: { since, until: undefined, tz }, filters }
    const ours = await median(rounds, () => RUN[run ?? "usage"](question))
    const theirs = await median(Math.min(rounds, 2), () => client.query(plain, [new Date(since)]))
    const verdict = goalMs === undefined ? "" : ours <= goalMs ? "met" : "missed"
    lines.push([
      what,
      `${ours.toFixed(0)} ms`,
      `${theirs.toFixed(0)} ms`,
      goalMs === undefined ? "" : `< ${goalMs} ms`,
      verdict,
    ])
  }
  await database.close()
  print(lines)
}

/** Returns the first midnight of a time zone after a midnight in UTC, so that a period begins inside a UTC day. */
function toMidnight(/** @type {number} */ at, /** @type {string} */ tz) {
  for (let minute = 0; ; minute += 15) {
    const clock = new Date(at + minute * 60_000).toLocaleTimeString("en-GB", { timeZone: tz })
    if (clock.startsWith("00:00") || clock.startsWith("24:00")) return at + minute * 60_000
  }
}

/** @param {number} times @param {() => Promise<unknown>} work */
async function median(times, work) {
  await work()
  const taken = []
  for (let i = 0; i < times; i++) {
    const start = performance.now()
    await work()
    taken.push(performance.now() - start)
  }
  return taken.sort((a, b) => a - b)[Math.floor(taken.length / 2)] ?? 0
}

async function sizes() {
  const { rows: found } = await client.query(`
    SELECT c.relname AS name, CASE c.relkind WHEN 'r' THEN c.reltuples::bigint::text ELSE '' END AS rows,
      pg_size_pretty(CASE c.relkind WHEN 'r' THEN pg_table_size(c.oid) ELSE pg_relation_size(c.oid) END) AS size
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE coalesce(i.indrelid, c.oid)::regclass::text ~ '^llm_' AND c.relkind IN ('r', 'i')
    ORDER BY coalesce(i.indrelid, c.oid)::regclass::text, c.relkind DESC, c.relname`)
  print([["table or index", "rows", "size"], ...found.map(({ name, rows, size }) => [name, rows, size])])
}

/** @param {string[][]} lines */
function print(lines) {
  process.stdout.write(`${alignColumns(lines)}\n\n`)
}
