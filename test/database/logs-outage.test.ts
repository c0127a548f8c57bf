import { setTimeout as wait } from "node:timers/promises"
import { afterAll, beforeAll, expect, it } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { migrate } from "../../src/database/schema.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, type OpenedLedger, openTestLedger } from "./_ledger.ts"

let server: PostgresServer

beforeAll(async () => {
  server = await startPostgres({ settings: { synchronous_commit: "on" } }) // what it acknowledged survives a kill
})

afterAll(() => server.remove())

async function openEmpty(): Promise<Database> {
  const db = await connect(server.url)
  await migrate(db)
  await db.query("TRUNCATE llm_requests")
  return db
}

async function countRows(db: Database): Promise<number> {
  const { rows } = await db.query<{ count: string }>("SELECT count(*) FROM llm_requests")
  return Number(rows[0]!.count)
}

/** Appends about 2,000 rows a second until it is stopped, and checks the sum of the numbers all the time. */
function startLoad(ledger: OpenedLedger) {
  let appended = 0
  let wrongSums = 0
  const timer = setInterval(() => {
    for (let i = 0; i < 20; i++, appended++) ledger.append(aRecord())
    const { accepted, written, waiting, rejected, dropped } = ledger.stats()
    if (accepted !== written + waiting + rejected + dropped || accepted !== appended) wrongSums++
  }, 10)
  return () => {
    clearInterval(timer)
    return { appended, wrongSums }
  }
}

it("[LOG-13] [PGF-01] [PGF-02] [PGF-03] while the database is stopped, killed and frozen under load, requests are served, and no row is lost or duplicated", async () => {
  const db = await openEmpty()
  const ledger = await openTestLedger(db, await makeDirectory(), { timing: { queryTimeoutMs: 700 } })
  const stopLoad = startLoad(ledger)
  const writtenMore = async () => {
    const { written } = ledger.stats()
    await expect.poll(() => ledger.stats().written).toBeGreaterThan(written + 200)
  }
  const seesFailure = () => expect.poll(() => ledger.stats().lastError).toBeDefined()

  await writtenMore()
  for (const fault of ["stop", "kill", "freeze"] as const) {
    await server[fault]()
    await seesFailure()
    const { waiting } = ledger.stats()
    await expect.poll(() => ledger.stats().waiting).toBeGreaterThan(waiting + 500)
    await (fault === "freeze" ? server.thaw() : server.start())
    await writtenMore()
  }
  const { appended, wrongSums } = stopLoad()
  expect(await ledger.drain(180_000)).toEqual({ drained: true, waiting: 0 })
  expect(await countRows(db)).toBe(appended)
  expect(wrongSums).toBe(0)
  expect(ledger.stats()).toMatchObject({ accepted: appended, written: appended, rejected: 0, dropped: 0 })
  const logged = ledger.lines.join("\n")
  expect(logged.match(/the database does not take rows/g)?.length).toBeGreaterThanOrEqual(3)
  expect(logged.match(/the database takes rows again after \d+ s: \d+ rows? waits?/g)?.length).toBeGreaterThanOrEqual(3)
  expect(logged).toContain("all rows that waited are in the database")
  expect(logged).not.toContain("test-password")
})

it("[LOG-10] [DAT-11] 30,000 rows that waited for the end of an outage get into the database, and use no memory while they wait", async () => {
  const db = await openEmpty()
  await server.stop()
  const ledger = await openTestLedger(db, await makeDirectory())
  for (let i = 0; i < 1000; i++) ledger.append(aRecord())
  const before = process.memoryUsage.rss()
  let slowestUs = 0
  let totalUs = 0
  for (let i = 0; i < 29_000; i++) {
    const record = aRecord()
    const started = performance.now()
    ledger.append(record)
    const us = (performance.now() - started) * 1000
    totalUs += us
    slowestUs = Math.max(slowestUs, us)
    if (i % 1000 === 0) await wait(1)
  }
  const grownMb = (process.memoryUsage.rss() - before) / (1 << 20)
  expect(ledger.stats()).toMatchObject({ accepted: 30_000, waiting: 30_000 })
  await server.start()
  const started = performance.now()
  await expect.poll(() => ledger.stats().waiting, { interval: 20 }).toBe(0)
  const drainedMs = performance.now() - started
  expect(await countRows(db)).toBe(30_000)
  expect(grownMb).toBeLessThan(60)
  console.info(
    `30,000 rows drained in ${Math.round(drainedMs)} ms; append: mean ${(totalUs / 29_000).toFixed(1)} us, slowest ${Math.round(slowestUs)} us; memory +${grownMb.toFixed(0)} MB`,
  )
})

it("[SHU-04] a process that ends while the database is away leaves its rows to the next process", async () => {
  const db = await openEmpty()
  const dir = await makeDirectory()
  await server.stop()
  const ledger = await openTestLedger(db, dir)
  for (let i = 0; i < 100; i++) ledger.append(aRecord())
  expect(await ledger.drain(300)).toEqual({ drained: false, waiting: 100 })
  await ledger.close()
  await server.start()
  const next = await openTestLedger(db, dir)
  expect((await next.drain(180_000)).drained).toBe(true)
  expect(await countRows(db)).toBe(100)
})

it("[PGF-09] [LOG-16] a locked table and a missing table delay the rows and lose none", async () => {
  const db = await openEmpty()
  const ledger = await openTestLedger(db, await makeDirectory(), { timing: { queryTimeoutMs: 300 } })
  await db.transaction(async (query) => {
    await query("LOCK TABLE llm_requests IN ACCESS EXCLUSIVE MODE")
    ledger.append(aRecord())
    await expect.poll(() => ledger.stats().lastError).toContain("DATABASE_TIMEOUT")
  })
  await expect.poll(() => ledger.stats().waiting).toBe(0)
  await db.query("ALTER TABLE llm_requests RENAME TO elsewhere")
  ledger.append(aRecord())
  await expect.poll(() => ledger.stats().lastError).toContain("42P01")
  expect(ledger.lines.at(-1)).toContain("run `majordomo-gateway migrate`")
  await db.query("ALTER TABLE elsewhere RENAME TO llm_requests")
  await expect.poll(() => ledger.stats().waiting).toBe(0)
  expect(await countRows(db)).toBe(2)
})
