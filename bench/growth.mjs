// npm run bench -- growth [--rows 20000000] [--days 360]
// Loads a year of requests into a PostgreSQL in steps of a quarter of --rows, and after each step prints how long reports,
// lists, checks and the commands that read everything take, so that the curve shows. DATABASE_URL names an empty database for
// this purpose; without it, a server is started, for which the disk needs about 1.5 KB per row.
import "./_typescript.mjs"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import pg from "pg"
import { alignColumns } from "./_report.mjs"
import { INSERT, MODELS } from "./_usage-rows.mjs"

const { values } = parseArgs({
  options: { rows: { type: "string", default: "20000000" }, days: { type: "string", default: "360" } },
})
const PROGRAM = fileURLToPath(new URL("../bin/majordomo.mjs", import.meta.url))
const STEPS = 4
const PARTS = 2
const rows = Number(values.rows)
const days = Number(values.days)

const FOCUS_FILE = join(tmpdir(), `majordomo-focus-${process.pid}.csv`)

/** Commands that only read, and how often each is run: the fastest time counts. */
const READING = [
  ["usage --by model, 30 days", ["usage", "--by", "model", "--since", "30d", "--json"], 3],
  ["usage --by month, all", ["usage", "--by", "month", "--since", `${days + 1}d`, "--json"], 3],
  ["usage --by User-Id (10,000 values), 30 days", ["usage", "--by", "User-Id", "--since", "30d", "--limit", "50"], 3],
  [
    "usage --by User-Id (10,000 values), all",
    ["usage", "--by", "User-Id", "--since", `${days + 1}d`, "--limit", "50"],
    3,
  ],
  ["usage requests, newest 50", ["usage", "requests", "--limit", "50", "--json"], 3],
  ["usage requests of the rarest key", ["usage", "requests", "--key", "key 49", "--limit", "50", "--json"], 3],
  ["usage runs, newest 50", ["usage", "runs", "--limit", "50", "--json"], 3],
  ["usage errors, 7 days", ["usage", "errors", "--since", "7d", "--json"], 3],
  ["usage latency --by model, 30 days", ["usage", "latency", "--by", "model", "--since", "30d", "--json"], 3],
  ["usage invoice of last month, by Feature", ["usage", "invoice", "--by", "Feature", "--json"], 3],
  ["the same with the lines of FOCUS", ["usage", "invoice", "--by", "Feature", "--focus", FOCUS_FILE, "--json"], 1],
  ["verify --all", ["verify", "--all", "--json"], 1],
  ["verify, the next day", ["verify", "--json"], 1],
]

/** Commands that change rows; only after the last step. */
const CHANGING = [
  ["metadata activate, a name of every row", ["metadata", "activate", "Team", "--json"]],
  ["prune of the first twelfth", ["prune", "--older-than", `${Math.floor((days * 11) / 12)}d`, "--yes", "--json"]],
]

/** The partitions that a year of use would have left. */
const PAST_MONTHS = `DO $$ DECLARE
  months integer := ${Math.ceil(days / 28) + 1};
  this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
  border text;
BEGIN
  ALTER TABLE llm_requests DETACH PARTITION llm_requests_first;
  DROP TABLE llm_requests_first;
  FOR i IN 0 .. months LOOP
    border := majordomo_first_id((this_month - make_interval(months => i)) AT TIME ZONE 'UTC');
    EXECUTE format('CREATE TABLE %I PARTITION OF llm_requests FOR VALUES FROM (%L) TO (%L)',
      to_char(this_month - make_interval(months => i), '"llm_requests_"YYYY_MM'), border,
      majordomo_first_id((this_month - make_interval(months => i - 1)) AT TIME ZONE 'UTC'));
  END LOOP;
  EXECUTE format('CREATE TABLE llm_requests_first PARTITION OF llm_requests FOR VALUES FROM (MINVALUE) TO (%L)', border);
END $$`

const directory = mkdtempSync(join(tmpdir(), "majordomo-growth-"))
const { startPostgres } = await import("../test/support/_postgres-server.ts")
const server = process.env.DATABASE_URL
  ? { url: process.env.DATABASE_URL, remove: () => {} }
  : await startPostgres({ settings: { shared_buffers: "1GB", max_wal_size: "8GB", maintenance_work_mem: "512MB" } })
const awake = setInterval(() => {}, 60_000) // the server's handles alone do not keep this process alive
const client = new pg.Client({ connectionString: server.url })
const environment = {
  HOME: directory,
  DATABASE_URL: server.url,
  TZ: "UTC",
  MAJORDOMO_STORAGE_DATA_DIR: join(directory, "data"),
  MAJORDOMO_PRICING_REMOTE_URL: "",
}

try {
  await client.connect()
  await measure()
} finally {
  await client.end()
  await server.remove()
  rmSync(directory, { recursive: true, force: true })
  rmSync(FOCUS_FILE, { force: true })
  clearInterval(awake)
}

async function measure() {
  await prepare()
  /** @type {Map<string, string[]>} */
  const table = new Map([["rows", []]])
  const add = (/** @type {string} */ name, /** @type {string} */ cell) =>
    table.set(name, [...(table.get(name) ?? []), cell])
  for (let step = 0; step < STEPS; step++) {
    add("loading, with rollups", toSeconds(await time(() => load(step))))
    table.get("rows")?.push(`${((rows * (step + 1)) / STEPS / 1e6).toFixed(1)} M`)
    add("tables and indexes", await size())
    for (const [name, args, times] of READING) add(name, toSeconds(await fastest(times, () => run(args))))
    process.stderr.write(`step ${step + 1} of ${STEPS}: done\n`)
  }
  for (const [name, args] of CHANGING) {
    const taken = toSeconds(await time(() => run(args)))
    table.set(name, [...Array(STEPS - 1).fill(""), taken])
  }
  const [head, ...body] = [...table].map(([name, cells]) => [name, ...cells])
  process.stdout.write(`${alignColumns([head ?? [], ...body])}\n`)
}

async function prepare() {
  await client.query(readFileSync(new URL("../schema.sql", import.meta.url), "utf8"))
  await client.query(
    "INSERT INTO api_keys (key_hash, name) SELECT md5(n::text), 'key ' || n FROM generate_series(0, 49) AS n",
  )
  await client.query(PAST_MONTHS)
  for (const name of ["User-Id", "Feature"]) run(["metadata", "activate", name, "--json"])
  await client.query(MODELS)
}

/** Inserts a quarter of the days with its rows, and counts them. @param {number} step */
async function load(step) {
  const before = (days * (STEPS - step - 1)) / STEPS
  const insert = INSERT.replace("now() - make_interval", `now() - interval '${before} days' - make_interval`)
  const withTeam = insert.replace("metadata || run", `metadata || run || '{"Team": "research"}'`)
  await client.query("ALTER TABLE llm_requests DISABLE TRIGGER USER")
  await Promise.all(
    Array.from({ length: PARTS }, async (_, part) => {
      const own = new pg.Client({ connectionString: server.url })
      await own.connect()
      await own.query(withTeam, [part, Math.floor(rows / STEPS / PARTS), PARTS, days / STEPS])
      await own.end()
    }),
  )
  await client.query("ALTER TABLE llm_requests ENABLE TRIGGER USER")
  await client.query("SELECT majordomo_count_again()")
  await client.query("VACUUM (ANALYZE)")
}

async function size() {
  const {
    rows: [{ bytes }],
  } = await client.query(`SELECT sum(pg_total_relation_size(c.oid)) AS bytes FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relname ~ '^(llm_|majordomo_)'`)
  return `${(Number(bytes) / 1e9).toFixed(2)} GB`
}

/** Runs a command of the built program. @param {readonly string[]} args */
function run(args) {
  const options = { cwd: directory, env: { ...process.env, ...environment }, encoding: "utf8" }
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    ...options,
    stdio: ["ignore", "ignore", "pipe"],
  })
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`)
}

/** @param {number} times @param {() => unknown} work */
async function fastest(times, work) {
  const taken = []
  for (let i = 0; i < times; i++) taken.push(await time(work))
  return Math.min(...taken)
}

/** @param {() => unknown} work */
async function time(work) {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** @param {number} seconds */
function toSeconds(seconds) {
  return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(0)} s`
}
