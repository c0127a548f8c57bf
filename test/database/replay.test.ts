import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import type { JournalRecord, LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { insertBatch } from "../../src/database/ledger/batch-insert.ts"
import { Replay, toMarkedJournal } from "../../src/database/ledger/replay.ts"
import { toLine } from "../../src/database/ledger/serialize.ts"
import { prune } from "../../src/database/prune.ts"
import { openJournal } from "../../src/kit/log/open-journal.ts"
import { describeDatabases } from "../support/databases.ts"
import { aRecord, makeDirectory, openTestLedger } from "./_ledger.ts"
import { expectBalance } from "./_verify.ts"

/** Rows wait until somebody drains them. */
const NEVER = { lingerMs: 600_000 }
const OLD = { created_at: "2026-03-01T10:00:00.000Z", total_cost: "1.25" }
const PRUNE = { olderThan: Date.parse("2026-04-01"), bodiesOnly: false }

async function totals(db: Database) {
  const { rows } = await db.query(
    "SELECT sum(requests)::int AS requests, trim_scale(sum(total_cost))::text AS cost FROM llm_usage_daily",
  )
  return rows[0]
}

const rowIds = async (db: Database) =>
  (await db.query<{ id: string }>("SELECT id FROM llm_requests ORDER BY id")).rows.map(({ id }) => id)

interface Left {
  readonly dir: string
  readonly written: readonly LogRecord[]
  readonly waiting: readonly LogRecord[]
}

/** Makes the journal of a process that was killed: some of its rows were written, and its cursor is lost. */
async function leaveJournal(db: Database): Promise<Left> {
  const root = await makeDirectory()
  const ledger = await openTestLedger(db, join(root, "1"), { timing: NEVER })
  const written = Array.from({ length: 3 }, () => aRecord(OLD))
  const waiting = Array.from({ length: 2 }, () => aRecord(OLD))
  for (const record of written) ledger.append(record)
  await ledger.drain(180_000)
  for (const record of waiting) ledger.append(record)
  ledger.stats() // flushes
  const dir = join(root, "2")
  cpSync(join(root, "1"), dir, { recursive: true })
  for (const file of ["cursor.json", "counters.json"]) rmSync(join(dir, file), { force: true })
  return { dir, written, waiting }
}

describeDatabases("a journal that is read again", (open) => {
  test("adds the rows that waited, and counts no pruned row a second time, although the cursor is lost", async () => {
    const db = await open()
    const { dir, waiting } = await leaveJournal(db)
    expect((await prune(db, PRUNE)).requests).toBe(3)
    expect(await totals(db)).toEqual({ requests: 3, cost: "3.75" })
    const ledger = await openTestLedger(db, dir, { timing: NEVER })
    const later = aRecord(OLD)
    ledger.append(later)
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(await totals(db)).toEqual({ requests: 6, cost: "7.5" })
    expect(await rowIds(db)).toEqual([...waiting, later].map(({ id }) => id).sort())
    expect(ledger.stats()).toMatchObject({ accepted: 6, written: 6, waiting: 0 })
    expect(ledger.lines).toContain(`info 3 rows in ${dir} had been written before: not written again`)
  })

  test("is not taken for written because of a last row that is damaged, or that is not in it", async () => {
    const db = await open()
    const { dir, written } = await leaveJournal(db)
    const [file] = readdirSync(dir).filter((name) => name.endsWith(".jsonl"))
    const text = readFileSync(join(dir, file!), "utf8")
    const last = written.at(-1)!.id
    const broken = text.replace(new RegExp(`^(\\{"id":"${last}".*)openai`, "m"), "$1opnnai")
    expect(broken).not.toBe(text)
    writeFileSync(join(dir, file!), broken)
    const ledger = await openTestLedger(db, dir, { timing: NEVER })
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(await totals(db)).toEqual({ requests: 5, cost: "6.25" })
    expect(ledger.stats()).toMatchObject({ accepted: 5, written: 4, rejected: 1 })
    expect(ledger.lines.join("\n")).not.toContain("had been written before")
  })

  test("is not taken for written when its last row was there and disappears while it is read", async () => {
    const db = await open()
    const { dir } = await leaveJournal(db)
    const first = join(dir, readdirSync(dir).find((name) => name.endsWith(".jsonl"))!)
    writeFileSync(join(dir, "000000000009.jsonl"), `${toLine(aRecord(OLD))}\n`)
    const onError = () => {}
    const journal = await openJournal({ dir, maxBytes: 1 << 30, syncIntervalMs: 100, onDamaged: () => {}, onError })
    onTestFinished(() => journal.close())
    const replay = new Replay({ db, journal: toMarkedJournal(journal, dir), timeoutMs: 15_000, onSkipped: () => {} })
    const countNext = async () => {
      const batch = (await journal.read(1))!
      const written = await replay.countWritten(journal, batch)
      journal.ack(batch)
      replay.settle(journal, batch, written)
      return { rows: batch.starts.length, written }
    }
    expect(await countNext()).toEqual({ rows: 1, written: 1 })
    truncateSync(first, readFileSync(first).indexOf("\n") + 1)
    expect(await countNext()).toEqual({ rows: 0, written: 0 })
    expect(await countNext()).toEqual({ rows: 1, written: 0 })
  })

  test("is read from the start when it has never been written to this database", async () => {
    const [one, other] = [await open(), await open()]
    const { dir } = await leaveJournal(one)
    const ledger = await openTestLedger(other, dir, { timing: NEVER })
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(await totals(other)).toEqual({ requests: 5, cost: "6.25" })
  })

  test("in a copy of its directory, which takes a request in progress for lost, does not replace the row of that request", async () => {
    const db = await open()
    const root = await makeDirectory()
    const ledger = await openTestLedger(db, join(root, "1"), { timing: NEVER })
    const plain = aRecord(OLD)
    const job: JournalRecord = {
      ...aRecord(OLD),
      job: { kind: "response", id: "resp_1", state: "running", created: true },
    }
    for (const { job: _, ...intent } of [plain, job] as readonly JournalRecord[]) ledger.recordIntent(intent)
    ledger.flushSync()
    cpSync(join(root, "1"), join(root, "2"), { recursive: true })
    const openCopy = () => openTestLedger(db, join(root, "2"), { timing: NEVER })
    const outcomes = async () =>
      (await db.query("SELECT outcome, trim_scale(total_cost)::text AS cost FROM llm_requests")).rows
    const copy = await openCopy()
    expect((await copy.drain(180_000)).drained).toBe(true)
    const died = { outcome: "gateway_died", cost: null }
    expect(await outcomes()).toEqual([died, died])
    for (const record of [plain, job]) {
      ledger.append(record)
      expect((await ledger.drain(180_000)).drained).toBe(true)
    }
    const complete = { outcome: "complete", cost: "1.25" }
    expect(await outcomes()).toEqual([complete, complete])
    expect(await totals(db)).toEqual({ requests: 2, cost: "2.5" })
    await expectBalance(db)
  })

  test("has its progress recorded up to the first rejected row, which is not on the disk yet", async () => {
    const db = await open()
    const records = [aRecord(), aRecord(), aRecord({ id: "no-uuid" }), aRecord()]
    const lines = records.map((record) => toLine(record))
    const starts = lines.map((_, i) => 1 + lines.slice(0, i).reduce((sum, line) => sum + line.length + 1, 0))
    const batch = { array: Buffer.from(`[${lines.join(",")}]`), starts, lines: 4, damaged: [] }
    const journal = "0197a000-0000-7000-8000-000000000001"
    const markAt = (to: number) => ({ of: "journal" as const, values: [journal, records[to - 1]!.id] as const })
    const rejected = await insertBatch(db, batch, { timeoutMs: 15_000, failures: 0, markAt })
    expect(rejected.map(({ line }) => line)).toEqual([lines[2]])
    expect(await rowIds(db)).toHaveLength(3)
    expect((await db.query("SELECT last_row FROM majordomo_journals")).rows).toEqual([{ last_row: records[1]!.id }])
  })
})
