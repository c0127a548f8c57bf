import { afterAll, beforeAll, expect, test } from "vitest"
import type { Database, Query, RunQuery } from "../../src/database/_database.ts"
import { openPostgres } from "../../src/database/open.ts"
import { postgresAt } from "../support/databases.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertRandomUsage } from "../support/random-usage.ts"
import { isThorough } from "../support/thorough.ts"
import { makeFolder, run, verify } from "./_archive.ts"
import { askDuckDb } from "./_duckdb.ts"

/** A run has about 60 statements. */
const STEP = isThorough ? 1 : 9

let home: TestDatabase
let db: Database
beforeAll(async () => {
  home = await createTestDatabase()
  db = await openPostgres(postgresAt(home.url).postgres)
})
afterAll(async () => {
  await db?.close()
  await home?.drop()
})

const insert = (rows: number, seed: number) =>
  insertRandomUsage(
    { query: (text, values) => db.query({ text, values }) },
    { rows, since: "2026-11-26T01:00:00Z", until: "2026-11-27T20:00:00Z", keys: [], seed },
  )

class Killed extends Error {}

/** The database of a process that is killed before statement number `last`: from then on nothing reaches the database. */
function killBefore(last: number): Database & { readonly statements: number } {
  let statements = 0
  const count = () => {
    if (++statements >= last) throw new Killed()
  }
  const wrap =
    (query: RunQuery): RunQuery =>
    async <Row>(statement: Query | string) => {
      count()
      return query<Row>(statement)
    }
  return {
    ...db,
    get statements() {
      return statements
    },
    query: wrap(db.query),
    transaction: (work) => db.transaction((query) => work(wrap(query))),
  }
}

/** A minute passes: the lease of the killed process has expired. */
const expireLease = () => db.query("UPDATE majordomo_archive_lease SET until = clock_timestamp() - interval '1 s'")

async function expectEachRowOnce(folder: string): Promise<void> {
  const { rows } = await db.query<{ id: string }>("SELECT id::text AS id FROM llm_requests ORDER BY id")
  const found = await askDuckDb(`SELECT id FROM read_parquet('${folder}/requests/*/*.parquet') ORDER BY id`)
  expect(found).toEqual(rows)
  expect(await verify(db, { to: folder })).toMatchObject({ balanced: true, rows: rows.length, unfinished: [] })
}

/** Kills a run before its n-th statement, and has another one complete the archive. Returns whether there is an n-th one. */
async function killAndResume(n: number, to: string): Promise<boolean> {
  const dying = killBefore(n)
  const ending = await run(dying, { to, rowsPerFile: 40 }).catch((error: unknown) => error)
  if (!(ending instanceof Killed)) return false
  await expireLease()
  await insert(3, 1000 + n) // while no process writes the archive
  await run(db, { to, rowsPerFile: 40 })
  await expectEachRowOnce(to)
  return true
}

test("a run that was killed before any of its statements is completed by the next one, which writes no row twice", async () => {
  for (let n = 1; ; n += STEP) {
    const to = makeFolder()
    await db.query("TRUNCATE llm_requests, llm_archive_days, llm_archive_late")
    await insert(100, n)
    if (!(await killAndResume(n, to))) break
    expect(n).toBeLessThan(500)
  }
})

test("the same holds for late rows and for rows that have changed", async () => {
  for (let n = 1; ; n += STEP) {
    const to = makeFolder()
    await db.query("TRUNCATE llm_requests, llm_archive_days, llm_archive_late")
    await insert(100, n)
    await run(db, { to, rowsPerFile: 40 })
    await insert(20, 500 + n)
    await db.query("UPDATE llm_requests SET total_cost = total_cost + 0.000000000001")
    if (!(await killAndResume(n, to))) break
    expect(n).toBeLessThan(500)
  }
})

test("two processes at once: one writes the archive, and the other says so", async () => {
  const to = makeFolder()
  await db.query("TRUNCATE llm_requests, llm_archive_days, llm_archive_late")
  await insert(200, 9)
  const both = await Promise.allSettled([run(db, { to, rowsPerFile: 20 }), run(db, { to, rowsPerFile: 20 })])
  const failed = both.flatMap((ending) => (ending.status === "rejected" ? [String(ending.reason)] : []))
  expect(failed).toHaveLength(1)
  expect(failed[0]).toMatch(/writes the archive at the moment: try again later/)
  await expectEachRowOnce(to)
})
