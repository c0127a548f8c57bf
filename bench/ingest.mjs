// npm run bench -- ingest [--gateways 8] [--seconds 20] [--batch BYTES] [--json]
// Writes rows from several processes into one PostgreSQL at full speed, as gateways with many waiting rows do: first from one
// process, then from all. Prints the throughput, what the sessions waited for, and whether every row was written once and
// every rollup equals its rows. DATABASE_URL names an empty database for this purpose; without it, a server is started.
import "./_typescript.mjs"
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import pg from "pg"
import { findDatabase } from "./_gateway.mjs"
import { cpuMs } from "./_processes.mjs"

const { values } = parseArgs({
  options: {
    gateways: { type: "string", default: "8" },
    seconds: { type: "string", default: "20" },
    batch: { type: "string", default: "" },
    json: { type: "boolean", default: false },
  },
})
const { openDatabase } = await import("../src/database/open.ts")
const { migrate } = await import("../src/database/schema.ts")
const { activateName } = await import("../src/database/metadata.ts")
const { verifyLedger } = await import("../src/database/verify.ts")

const SAMPLE_MS = 50
/** The sessions of the writers, and not those of this script. */
const WAITING = `SELECT coalesce(wait_event_type || ': ' || wait_event, 'running') AS event, count(*)::int AS sessions
  FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'majordomo-gateway' AND state = 'active'
    AND pid <> pg_backend_pid() AND query LIKE '%INSERT INTO llm_requests %' GROUP BY 1`
const SERVERS = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'majordomo-gateway'`
const STATE = `SELECT deadlocks::int, temp_files::int, (SELECT count(*)::int FROM llm_requests) AS rows
  FROM pg_stat_database WHERE datname = current_database()`

const directory = mkdtempSync(join(tmpdir(), "majordomo-ingest-"))
const found = await findDatabase()
const client = new pg.Client({ connectionString: found.url, application_name: "bench" })
try {
  await client.connect()
  const database = await openDatabase(
    {
      driver: "postgres",
      dataDir: directory,
      postgres: /** @type {any} */ ({ url: found.url, isSet: true, maxConns: 4 }),
    },
    { role: "command", log: () => {} },
  )
  await migrate(database)
  for (const name of ["Feature", "User-Id"]) await activateName(database, { name, key: undefined })
  const rounds = []
  for (const gateways of new Set([1, Number(values.gateways)])) rounds.push(await measure(gateways))
  const { differences, lost, waiting, written } = await verifyLedger(database, directory, { all: true })
  await database.close()
  const result = {
    at: new Date().toISOString(),
    seconds: Number(values.seconds),
    rounds,
    differences,
    lost,
    waiting,
    written,
  }
  process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : `${toText(result)}\n`)
} finally {
  await client.end()
  await found.stop()
  rmSync(directory, { recursive: true, force: true })
}

/** Lets so many processes write for the time of the settings, and then until nothing waits. @param {number} gateways */
async function measure(gateways) {
  const before = (await client.query(STATE)).rows[0]
  const writers = await Promise.all(Array.from({ length: gateways }, (_, n) => startWriter(`${gateways}-${n}`)))
  /** @type {Map<string, number>} */
  const waits = new Map()
  let samples = 0
  const clients = () => writers.reduce((sum, { child }) => sum + cpuMs(/** @type {number} */ (child.pid)), 0)
  const servers = async () => (await client.query(SERVERS)).rows.reduce((sum, { pid }) => sum + cpuMs(pid), 0)
  const clientBefore = clients()
  const serverBefore = await servers()
  let isOver = false
  const sampling = (async () => {
    for (; !isOver; await sleep(SAMPLE_MS)) {
      samples++
      for (const { event, sessions } of (await client.query(WAITING)).rows) {
        waits.set(event, (waits.get(event) ?? 0) + sessions)
      }
    }
  })()
  const startedAt = performance.now()
  for (const { child } of writers) child.send({ seconds: Number(values.seconds), batchBytes: Number(values.batch) })
  const counts = await Promise.all(
    writers.map(async ({ child }) => /** @type {any} */ ((await once(child, "message"))[0])),
  )
  const tookMs = performance.now() - startedAt
  isOver = true
  await sampling
  const clientMs = clients() - clientBefore
  const serverMs = (await servers()) - serverBefore
  for (const { child } of writers) child.disconnect()
  const after = (await client.query(STATE)).rows[0]
  const rows = counts.reduce((sum, { accepted }) => sum + accepted, 0)
  const sessions = [...waits.values()].reduce((sum, count) => sum + count, 0)
  return {
    gateways,
    accepted: rows,
    written: after.rows - before.rows,
    rowsPerSecond: Math.round((rows * 1000) / tookMs),
    perGateway: counts.map(({ accepted }) => accepted),
    clientCpuUsPerRow: Math.round((clientMs * 10_000) / rows) / 10,
    serverCpuUsPerRow: Math.round((serverMs * 10_000) / rows) / 10,
    rowsPerBatch: Math.round(rows / counts.reduce((sum, { batches }) => sum + batches, 0)),
    slowestBatchMs: Math.round(Math.max(...counts.map(({ slowestMs }) => slowestMs))),
    deadlocks: after.deadlocks - before.deadlocks,
    warnings: [...new Set(counts.flatMap(({ warnings }) => warnings))],
    samples,
    waits: Object.fromEntries(
      [...waits]
        .sort((a, b) => b[1] - a[1])
        .map(([event, count]) => [event, `${Math.round((count * 100) / sessions)} %`]),
    ),
  }
}

/** @param {string} name */
async function startWriter(name) {
  const script = fileURLToPath(new URL("./ingest-writer.mjs", import.meta.url))
  const execArgv = ["--import", new URL("./_typescript.mjs", import.meta.url).href]
  const child = fork(script, [found.url, join(directory, name)], { execArgv })
  await once(child, "message")
  return { child }
}

/** @param {any} result */
function toText({ rounds, differences }) {
  const lines = rounds.map((/** @type {any} */ round) => {
    const waits = Object.entries(round.waits).map(([event, share]) => `${event} ${share}`)
    return [
      `${round.gateways} gateways: ${round.rowsPerSecond} rows/s, ${round.rowsPerBatch} rows per batch, slowest batch ${round.slowestBatchMs} ms, CPU per row ${round.clientCpuUsPerRow} us here and ${round.serverCpuUsPerRow} us in the database`,
      `  ${round.accepted} rows accepted, ${round.written} written; ${round.deadlocks} deadlocks; by gateway ${round.perGateway.join(", ")}`,
      `  sessions were: ${waits.join(", ")}`,
      ...round.warnings.map((/** @type {string} */ line) => `  ${line}`),
    ].join("\n")
  })
  return `${lines.join("\n")}\nrollups: ${differences.length} differences`
}
