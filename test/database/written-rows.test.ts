import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

const QUICK = { lingerMs: 1, minBackoffMs: 1, maxBackoffMs: 2 }

function listen() {
  const heard = { ids: [] as string[], all: 0, recovered: 0 }
  const listeners = {
    onWritten: (ids: Iterable<string>) => void heard.ids.push(...ids),
    onAllWritten: () => void heard.all++,
    onRecovered: () => void heard.recovered++,
  }
  return { heard, listeners }
}

const openDatabase = async () => connect((await createTestDatabase()).url)
const appendMany = (
  append: (row: ReturnType<typeof aRecord>) => unknown,
  rows: readonly ReturnType<typeof aRecord>[],
) => {
  for (const row of rows) append(row)
  return rows.map(({ id }) => id)
}

test("each row that is written or rejected is reported once by its id", async () => {
  const db = await openDatabase()
  await db.query("ALTER TABLE llm_requests ADD CONSTRAINT no_bad CHECK (model <> 'bad')")
  const { heard, listeners } = listen()
  const ledger = await openTestLedger(db, await makeDirectory(), { timing: QUICK, ...listeners })
  const rows = Array.from({ length: 20 }, (_, i) => aRecord({ model: i % 5 === 0 ? "bad" : "gpt-5" }))
  const ids = appendMany(ledger.append, rows)
  expect((await ledger.drain(60_000)).drained).toBe(true)
  expect(ledger.stats()).toMatchObject({ written: 16, rejected: 4, waiting: 0 })
  expect(heard.ids.toSorted()).toEqual(ids.toSorted())
})

test("a row that is dropped because all is full is reported by its id", async () => {
  const { heard, listeners } = listen()
  const full = { journal: false, maxJournalBytes: 1, timing: { lingerMs: 600_000 } }
  const ledger = await openTestLedger(await openDatabase(), await makeDirectory(), { ...full, ...listeners })
  const [id] = appendMany(ledger.append, [aRecord()])
  await new Promise(setImmediate)
  expect(ledger.stats()).toMatchObject({ dropped: 1 })
  expect(heard.ids).toEqual([id])
})

test("rows whose ids nobody knows any more are over as soon as nothing waits", async () => {
  const { heard, listeners } = listen()
  const dir = await makeDirectory()
  const options = { timing: { ...QUICK, lingerMs: 300 }, syncIntervalMs: 1, ...listeners }
  const ledger = await openTestLedger(await openDatabase(), dir, options)
  appendMany(ledger.append, [aRecord(), aRecord()])
  ledger.flushSync()
  for (const name of readdirSync(dir).filter((each) => each.endsWith(".jsonl"))) truncateSync(join(dir, name), 0)
  expect((await ledger.drain(60_000)).drained).toBe(true)
  expect(ledger.stats()).toMatchObject({ dropped: 2, waiting: 0 })
  expect(heard.all).toBe(1)
})

test("of a row whose line the disk has damaged nobody knows the id, and it is over as soon as nothing waits", async () => {
  const db = await openDatabase()
  const dir = await makeDirectory()
  const first = await openTestLedger(db, dir, { timing: { lingerMs: 600_000 } })
  const [whole] = appendMany(first.append, [aRecord(), aRecord({ total_cost: "0.00777" })])
  await first.close()
  const file = join(dir, "000000000001.jsonl")
  writeFileSync(file, readFileSync(file, "utf8").replace('"0.00777"', '"9.00777"'))
  const { heard, listeners } = listen()
  const second = await openTestLedger(db, dir, { timing: QUICK, ...listeners })
  expect((await second.drain(60_000)).drained).toBe(true)
  expect(second.stats()).toMatchObject({ written: 1, rejected: 1, waiting: 0 })
  expect(heard).toEqual({ ids: [whole], all: 1, recovered: 1 })
})

test("the rows that an earlier process left are reported once when they do not wait any more", async () => {
  const db = await openDatabase()
  const dir = await makeDirectory()
  const first = await openTestLedger(db, dir, { timing: { lingerMs: 600_000 } })
  const ids = appendMany(first.append, [aRecord(), aRecord()])
  await first.close()
  const { heard, listeners } = listen()
  const second = await openTestLedger(db, dir, { timing: QUICK, ...listeners })
  appendMany(second.append, [aRecord()])
  expect((await second.drain(60_000)).drained).toBe(true)
  expect(heard.ids).toEqual(expect.arrayContaining(ids))
  expect(heard.recovered).toBe(1)
})
