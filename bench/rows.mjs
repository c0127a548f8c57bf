// npm run bench -- rows [--rows 1000000] [--whole]
// Writes plain priced rows as the gateway writes them, by the lines and the statements of its ledger. Prints
// the bytes per row of the table, of each index and of the rollups, the rows per second, and the CPU to serialize a row.
// Fails above the goal. `--whole` writes rows without cards, as earlier versions do. DATABASE_URL names a database for this
// purpose, which is emptied; without it, a server is started.
import "./_typescript.mjs"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import pg from "pg"

const { values } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, whole: { type: "boolean", default: false } },
})
const count = Number(values.rows)
/** The ledger sends about 512 KB at once. */
const BATCH = 350
/** In MB per million rows. */
const GOAL_MB = 450
const SCHEMA = readFileSync(new URL("../schema.sql", import.meta.url), "utf8")
const { openPlainRows } = await import("./_plain-rows.mjs")
const { openDatabase } = await import("../src/database/open.ts")
const { insertRows } = await import("../src/database/ledger/insert.ts")
const { toLine } = await import("../src/database/ledger/serialize.ts")
const { CardBook } = await import("../src/database/ledger/cards/card-book.ts")
const { storeNewCards } = await import("../src/database/ledger/cards/store.ts")

const server = process.env.DATABASE_URL ? undefined : await startServer()
const url = process.env.DATABASE_URL ?? server?.url
const client = new pg.Client({ connectionString: url })
const awake = setInterval(() => {}, 60_000) // the server's handles alone do not keep this process alive
try {
  await client.connect()
  await client.query(SCHEMA)
  await client.query("TRUNCATE llm_requests, llm_cards, llm_credential_hashes, api_keys CASCADE")
  await write()
  await client.query("VACUUM (ANALYZE)")
  await report()
} finally {
  await client.end()
  await server?.remove()
  clearInterval(awake)
}

async function startServer() {
  const { startPostgres } = await import("../test/support/_postgres-server.ts")
  return startPostgres({ settings: { shared_buffers: "512MB", max_wal_size: "8GB" } })
}

async function write() {
  const plain = await openPlainRows()
  const storage = { driver: "postgres", dataDir: "", postgres: { isSet: true, url } }
  const database = await openDatabase(storage, { role: "command", log: () => {} })
  const { rows: made } = await client.query(
    "INSERT INTO api_keys (key_hash, name) SELECT 'bench ' || n, 'key ' || n FROM generate_series(1, 50) n RETURNING id",
  )
  const keys = made.map(({ id }) => id)
  const hashes = Array.from({ length: 5 }, (_, i) => createHash("sha256").update(`credential ${i}`).digest("hex"))
  const book = new CardBook()
  const total = { serializedMs: 0, insertedMs: 0, bytes: 0 }
  for (let from = 0; from < count; from += BATCH) {
    const records = plain.makeRows({ from, count: Math.min(BATCH, count - from), keys, hashes })
    const startedAt = performance.now()
    const lines = records.map((record) => toLine(record, values.whole ? undefined : book.find(record)))
    const array = Buffer.from(`[${lines.join()}]`)
    const serializedAt = performance.now()
    await storeNewCards(database, book, 60_000)
    await insertRows(database.query, array, { count: records.length, timeoutMs: 60_000 })
    total.serializedMs += serializedAt - startedAt
    total.insertedMs += performance.now() - serializedAt
    total.bytes += array.length
  }
  await database.close()
  plain.close()
  const perRow = (/** @type {number} */ sum) => sum / count
  process.stdout.write(
    `${Math.round(1000 / perRow(total.insertedMs))} rows/s inserted, ${(perRow(total.serializedMs) * 1000).toFixed(2)} us to serialize a row, ${perRow(total.bytes).toFixed(0)} bytes per line\n\n`,
  )
}

async function report() {
  const { rows } = await client.query(`
    SELECT CASE WHEN i.indrelid = 'llm_requests'::regclass OR c.oid = 'llm_requests'::regclass THEN c.relname
        WHEN coalesce(i.indrelid, c.oid)::regclass::text ~ '^llm_(cards|credential_hashes)$' THEN 'cards'
        ELSE 'rollups and their indexes' END AS what,
      sum(pg_total_relation_size(c.oid) - pg_indexes_size(c.oid))::float8 AS bytes
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE coalesce(i.indrelid, c.oid)::regclass::text ~ '^llm_' AND c.relkind IN ('r', 'i')
    GROUP BY 1 HAVING sum(pg_total_relation_size(c.oid)) > 0 ORDER BY 2 DESC`)
  const all = rows.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { what, bytes } of [...rows, { what: "all, in MB per million rows", bytes: all }])
    process.stdout.write(`${what.padEnd(42)}${(bytes / count).toFixed(1).padStart(8)}\n`)
  const isMet = all / count <= GOAL_MB
  process.stdout.write(`\ngoal: at most ${GOAL_MB} MB per million rows: ${isMet ? "met" : "missed"}\n`)
  if (!isMet && !values.whole) process.exitCode = 1
}
