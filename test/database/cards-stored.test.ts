import { cpSync } from "node:fs"
import { beforeAll, describe, expect, it, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { copyDatabase } from "../../src/database/copy.ts"
import { CardBook } from "../../src/database/ledger/cards/card-book.ts"
import { storeNewCards } from "../../src/database/ledger/cards/store.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { toLine } from "../../src/database/ledger/serialize.ts"
import { openDatabase } from "../../src/database/open.ts"
import { describeDatabases, postgresAt } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

const ALL = `SELECT jsonb_agg(to_jsonb(r) - 'indexed_metadata' ORDER BY id) AS rows FROM llm_requests_full r`
const COUNT = "SELECT count(*)::int AS rows, count(card)::int AS carded FROM llm_requests WHERE id = ANY ($1::uuid[])"

/** Returns rows of `count` models, each of which needs a card of its own. */
function recordsOf(count: number): LogRecord[] {
  return Array.from({ length: count }, (_, i) => aRecord({ model: `model ${i}`, usage: { [`tokens of ${i}`]: i + 1 } }))
}

test("llm_requests_full has every column of the table but those of cards, and of the same types", async () => {
  const db = await connect((await createTestDatabase()).url)
  const columns = (relation: string) =>
    `SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
      WHERE attrelid = '${relation}'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> ALL ($1) ORDER BY 1`
  const except = [["card", "card_values", "provider_api_key_hash_id"]]
  const table = await db.query({ text: columns("llm_requests"), values: except })
  const view = await db.query({ text: columns("llm_requests_full"), values: except })
  expect(view.rows).toEqual(table.rows)
})

describe("cards in the ledger", () => {
  let url: string
  beforeAll(async () => {
    url = (await createTestDatabase()).url
  })

  it("are stored before the first rows that refer to them, also by two gateways that need the same ones at once", async () => {
    const db = await connect(url)
    const ledgers = [await openTestLedger(db, await makeDirectory()), await openTestLedger(db, await makeDirectory())]
    const ids: string[] = []
    for (const [i, ledger] of ledgers.entries()) {
      const records = recordsOf(300)
      for (const record of i === 0 ? records : records.reverse()) {
        ids.push(record.id)
        ledger.append(record)
      }
    }
    for (const { drained } of await Promise.all(ledgers.map((ledger) => ledger.drain(180_000))))
      expect(drained).toBe(true)
    expect((await db.query({ text: COUNT, values: [ids] })).rows).toEqual([{ rows: 600, carded: 600 }])
    expect(ledgers.flatMap(({ lines }) => lines).filter((line) => line.startsWith("error"))).toEqual([])
  })

  it.each([
    ["before its cards were stored: its rows are whole", false, 0],
    ["after its cards were stored: its rows have them", true, 20],
  ])("do not matter to a process that dies %s", async (_when, isStored, carded) => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const ledger = await openTestLedger(db, dir, { timing: { lingerMs: 600_000 } })
    const records = recordsOf(20).map((record) => ({
      ...record,
      usage: { [`stored ${isStored}`]: 5, all: record.usage },
    }))
    for (const record of records) await new Promise<void>((kept) => ledger.append(record, kept))
    if (isStored) {
      const book = new CardBook()
      for (const record of records) book.find(record)
      await storeNewCards(db, book, 60_000)
    }
    // What is on the disk now is what a killed process would leave.
    const left = `${await makeDirectory()}/left`
    cpSync(dir, left, { recursive: true })
    const next = await openTestLedger(db, left)
    expect((await next.drain(180_000)).drained).toBe(true)
    const ids = records.map(({ id }) => id)
    expect((await db.query({ text: COUNT, values: [ids] })).rows).toEqual([{ rows: 20, carded }])
    const { rows } = await db.query({
      text: "SELECT price, usage FROM llm_requests_full WHERE id = ANY ($1::uuid[]) ORDER BY array_position($1::uuid[], id)",
      values: [ids],
    })
    expect(rows).toEqual(records.map(({ price, usage }) => ({ price, usage })))
  })

  it("are stored again when the database was restored to a time before them", async () => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory())
    const [first, second] = [aRecord({ usage: { restored: 1 } }), aRecord({ usage: { restored: 2 } })]
    ledger.append(first)
    await ledger.drain(180_000)
    await db.query("TRUNCATE llm_cards")
    // The rows that are in use during a restore fail, because the database stops.
    await db.query("ALTER TABLE llm_cards RENAME TO gone")
    ledger.append(second)
    expect((await ledger.drain(500)).drained).toBe(false)
    await db.query("ALTER TABLE gone RENAME TO llm_cards")
    await ledger.drain(180_000)
    expect((await db.query({ text: COUNT, values: [[second.id]] })).rows).toEqual([{ rows: 1, carded: 1 }])
  })
})

describeDatabases("rows with cards are copied into another database", (open) => {
  async function fill(db: Database): Promise<void> {
    const book = new CardBook()
    const lines = recordsOf(40).map((record) => toLine(record, book.find(record)))
    await storeNewCards(db, book, 60_000)
    await insertRows(db.query, `[${lines.join()}]`, { count: 40 })
  }

  const openTarget = async () =>
    openDatabase(postgresAt((await createTestDatabase()).url), { role: "command", log: () => {} })

  it("with their cards, which are copied once", async () => {
    const [source, target] = [await open(), await openTarget()]
    await fill(source)
    await copyDatabase(source, target)
    expect((await target.query(ALL)).rows).toEqual((await source.query(ALL)).rows)
    const cards = "SELECT count(card)::int AS carded, (SELECT count(*)::int FROM llm_cards) AS cards FROM llm_requests"
    expect((await target.query(cards)).rows).toEqual([{ carded: 40, cards: 40 }])
    expect((await copyDatabase(source, target)).added).toBe(0)
    await target.close()
  })

  it("whole, where the other database has something else under the id of a card", async () => {
    const [source, target] = [await open(), await openTarget()]
    await fill(source)
    const { rows } = await source.query<{ id: string }>("SELECT id FROM llm_cards ORDER BY id DESC LIMIT 1")
    await target.query({ text: "INSERT INTO llm_cards VALUES ($1, '{}', '{}', '{}', '{}')", values: [rows[0]!.id] })
    await copyDatabase(source, target)
    expect((await target.query(ALL)).rows).toEqual((await source.query(ALL)).rows)
    await target.close()
  })
})
