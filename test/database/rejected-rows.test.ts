import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { insertBatch } from "../../src/database/ledger/batch-insert.ts"
import { readJournals } from "../../src/database/ledger/read.ts"
import { toLine } from "../../src/database/ledger/serialize.ts"
import { describeDatabases } from "../support/databases.ts"
import { aRecord, makeDirectory, openTestLedger } from "./_ledger.ts"

const QUICK = { lingerMs: 1, minBackoffMs: 1, maxBackoffMs: 2 }
const NEVER = { lingerMs: 600_000 }

async function raiseIn(db: Database, condition: string, raise: string): Promise<void> {
  await db.query(`CREATE SEQUENCE IF NOT EXISTS attempts;
    CREATE OR REPLACE FUNCTION of_the_user() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF ${condition} THEN RAISE EXCEPTION 'not this one: %', NEW.model ${raise}; END IF; RETURN NEW; END $$;
    CREATE OR REPLACE TRIGGER of_the_user BEFORE INSERT ON llm_requests FOR EACH ROW EXECUTE FUNCTION of_the_user()`)
}

const countRows = async (db: Database, where = "true") =>
  Number((await db.query(`SELECT count(*) AS rows FROM llm_requests WHERE ${where}`)).rows[0]!["rows"])

const toBatch = (lines: readonly string[]) => {
  const array = Buffer.from(`[${lines.join(",")}]`)
  let at = 1
  const starts = lines.map((line) => {
    at += Buffer.byteLength(line) + 1
    return at - Buffer.byteLength(line) - 1
  })
  return { array, starts, lines: lines.length, damaged: [] }
}

describeDatabases("a row that the database rejects with any error", (open, kind) => {
  test("is stored beside the journal, and its neighbors are written", async () => {
    const db = await open()
    await raiseIn(db, "NEW.model LIKE 'bad%'", "")
    const dir = await makeDirectory()
    const ledger = await openTestLedger(db, dir, { timing: QUICK })
    const bad = Array.from({ length: 30 }, (_, i) => aRecord({ model: `bad-${i}` }))
    for (const record of bad) ledger.append(record)
    for (let i = 0; i < 100; i++) ledger.append(aRecord())
    ledger.append(aRecord({ model: "bad-last" }))
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(ledger.stats()).toMatchObject({ accepted: 131, written: 100, rejected: 31, waiting: 0 })
    expect(await countRows(db)).toBe(100)
    const stored = readFileSync(join(dir, "rejected.jsonl"), "utf8").trim().split("\n")
    expect(stored.map((line) => JSON.parse(JSON.parse(line).line).model)).toEqual([
      ...bad.map(({ model }) => model),
      "bad-last",
    ])
    expect(ledger.lines.join("\n")).toContain("SQLSTATE P0001")
    expect(ledger.lines.join("\n")).not.toContain("not this one")
  })

  test("waits while the database rejects every row, and is written when it no longer does", async () => {
    const db = await open()
    await raiseIn(db, "nextval('attempts') > 0", "")
    const ledger = await openTestLedger(db, await makeDirectory(), { timing: QUICK })
    for (let i = 0; i < 20; i++) ledger.append(aRecord())
    ledger.stats()
    await expect
      .poll(async () => Number((await db.query("SELECT last_value FROM attempts")).rows[0]!["last_value"]))
      .toBeGreaterThan(30)
    expect(ledger.stats()).toMatchObject({ waiting: 20, written: 0, rejected: 0 })
    // DROP TRIGGER locks the partitions before the table.
    await db.query("BEGIN; LOCK TABLE llm_requests; DROP TRIGGER of_the_user ON llm_requests; COMMIT")
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(ledger.stats()).toMatchObject({ waiting: 0, written: 20, rejected: 0 })
  })

  test("keeps its details when the error passes, such as that of a foreign key", async () => {
    const db = await open()
    await raiseIn(db, "nextval('attempts') < 3", "USING ERRCODE = 'foreign_key_violation'")
    const ledger = await openTestLedger(db, await makeDirectory(), { timing: QUICK })
    ledger.append(aRecord())
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(await countRows(db, "raw_metadata ->> 'User-Id' = 'u-1' AND error_message IS NULL")).toBe(1)
  })

  test("keeps its details when its statement is canceled some times, as by statement_timeout on a busy server", async () => {
    const db = await open()
    await raiseIn(db, "nextval('attempts') < 5", "USING ERRCODE = 'query_canceled'")
    const ledger = await openTestLedger(db, await makeDirectory(), { timing: QUICK })
    ledger.append(aRecord())
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(await countRows(db, "raw_metadata ->> 'User-Id' = 'u-1' AND error_message IS NULL")).toBe(1)
  })

  test("loses only its bodies when they are the reason", async () => {
    const db = await open()
    await raiseIn(db, "NEW.request_body IS NOT NULL", "")
    const ledger = await openTestLedger(db, await makeDirectory(), { timing: QUICK })
    ledger.append(aRecord({ request_body: "{}" }))
    ledger.append(aRecord())
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(await countRows(db, "raw_metadata ->> 'User-Id' = 'u-1'")).toBe(2)
    expect(await countRows(db, "error_message LIKE 'stored without its bodies: %'")).toBe(1)
  })

  test("loses its bodies when it is larger than a row may be", async () => {
    const db = await open()
    const ledger = await openTestLedger(db, await makeDirectory(), { timing: NEVER })
    ledger.append(aRecord({ request_body: "x".repeat(50 << 20) }))
    ledger.append(aRecord())
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(await countRows(db, "request_body IS NULL AND raw_metadata IS NOT NULL")).toBe(2)
    expect(await countRows(db, "error_message LIKE '%lower logging.max_body_size'")).toBe(1)
  })

  // Only the embedded database ends the connection of a client that sends more than 64 MB.
  test.runIf(kind === "embedded")(
    "does not hold its neighbors when it takes the connection down each time",
    async () => {
      const db = await open()
      const lines = [aRecord(), aRecord({ response_body: "x".repeat(65 << 20) }), aRecord()].map((record) =>
        toLine(record),
      )
      const insert = (failures: number) => insertBatch(db, toBatch(lines), { timeoutMs: 15_000, failures })
      await expect(insert(0)).rejects.toThrow()
      expect(await insert(10)).toEqual([])
      expect(await countRows(db, "raw_metadata IS NOT NULL")).toBe(3)
      expect(await countRows(db, "error_message LIKE 'stored without its bodies: %'")).toBe(1)
    },
  )
})

describeDatabases("a journal file that cannot be read", (open) => {
  test("is kept under another name, and what follows it is written", async () => {
    const db = await open()
    const root = await makeDirectory()
    const dir = join(root, "1")
    const before = await openTestLedger(db, dir, { timing: NEVER })
    for (let i = 0; i < 3; i++) before.append(aRecord())
    await before.close()
    const ledger = await openTestLedger(db, dir, { timing: QUICK })
    // A directory in place of the file: reading it fails, also for root.
    const [file] = readdirSync(dir).filter((name) => name.endsWith(".jsonl"))
    renameSync(join(dir, file!), join(root, "elsewhere"))
    mkdirSync(join(dir, file!))
    ledger.append(aRecord())
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(ledger.stats()).toMatchObject({ accepted: 4, written: 1, rejected: 3, waiting: 0 })
    await ledger.close()
    expect(readdirSync(dir)).toContain(`${file}.unreadable`)
    expect(ledger.lines.join("\n")).toContain(
      `${file} at byte 0: it cannot be read (EISDIR); it is kept as ${file}.unreadable`,
    )
    expect((await readJournals(root)).rejected).toHaveLength(3)
  })

  test("does not stop the next start: it is kept under another name, and its rows are counted as dropped", async () => {
    const db = await open()
    const root = await makeDirectory()
    const dir = join(root, "1")
    const before = await openTestLedger(db, dir, { timing: NEVER })
    for (let i = 0; i < 3; i++) before.append(aRecord())
    await before.close()
    const [file] = readdirSync(dir).filter((name) => name.endsWith(".jsonl"))
    renameSync(join(dir, file!), join(root, "elsewhere"))
    mkdirSync(join(dir, file!))
    const ledger = await openTestLedger(db, dir, { timing: QUICK })
    ledger.append(aRecord())
    expect((await ledger.drain(180_000)).drained).toBe(true)
    // The row of the request and the one that counts the gap.
    expect(ledger.stats()).toMatchObject({ accepted: 5, written: 2, dropped: 3, rejected: 0, waiting: 0 })
    await ledger.close()
    expect(readdirSync(dir)).toContain(`${file}.unreadable`)
    expect(ledger.lines.join("\n")).toContain(
      `reading ${join(dir, file!)}, which is kept as ${file}.unreadable, failed`,
    )
  })
})
