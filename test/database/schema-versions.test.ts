import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { toCountingFunctions } from "../../build/schema/functions.ts"
import type { Database } from "../../src/database/_database.ts"
import { backfillName } from "../../src/database/backfill.ts"
import { COUNTERS, ROLLUP_TABLES } from "../../src/database/counters.ts"
import { createKey } from "../../src/database/keys.ts"
import { activateName } from "../../src/database/metadata.ts"
import { openDatabase, openPostgres } from "../../src/database/open.ts"
import { prune } from "../../src/database/prune.ts"
import { migrate } from "../../src/database/schema.ts"
import type { SchemaScript } from "../../src/database/schema-script.ts"
import { readSchemaState } from "../../src/database/schema-state.ts"
import { verifyLedger } from "../../src/database/verify.ts"
import { describeDatabases, postgresAt } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, makeDirectory, openTestLedger } from "./_ledger.ts"
import { describeSchema, makeNewerScript, VERSION } from "./_schemas.ts"

/** A migration that adds a table, a column and a counter, as `npm run schema -- streams` prepares it. */
const ADD_STREAMS = `
  CREATE TABLE notes (id uuid PRIMARY KEY);
  ALTER TABLE llm_requests ADD COLUMN note text;
  ${ROLLUP_TABLES.map(({ name }) => `ALTER TABLE ${name} ADD COLUMN streams bigint NOT NULL DEFAULT 0;`).join("\n")}
  ${toCountingFunctions([...COUNTERS, { name: "streams", type: "bigint", of: { count: true, where: "streamed" } }])}`

describeDatabases("a schema that is newer and compatible", (open) => {
  test("is left exactly as it is by an older program", async () => {
    const db = await open()
    const newer = makeNewerScript(ADD_STREAMS)
    expect((await migrate(db, undefined, newer)).did).toBe("updated")
    const before = await describeSchema(db)
    expect(await migrate(db)).toEqual({ did: "nothing", rowsKept: 0, newerVersion: VERSION + 1 })
    expect(await readSchemaState(db.query)).toEqual({ kind: "newer", version: VERSION + 1, isBreaking: false })
    expect(await describeSchema(db)).toEqual(before)
    expect(await migrate(db, undefined, newer)).toEqual({ did: "nothing", rowsKept: 0 })
  })

  test("two versions of the program work on one database in turns, and its books balance", async () => {
    const db = await open()
    const journals = await makeDirectory()
    const newer = makeNewerScript(ADD_STREAMS)
    const { key } = await createKey(db, { name: "one" })
    let written = 0
    let streams = 0
    const work = async (slot: number) => {
      const ledger = await openTestLedger(db, join(journals, String(slot)))
      for (const day of [2, 3, 4, 9, 10, 17]) {
        const streamed = (day + slot) % 2 === 0
        const at = `2026-11-${String(day).padStart(2, "0")}T${10 + slot}:00:00.000Z`
        const metadata = { "User-Id": `u-${(day + slot) % 3}` }
        ledger.append(aRecord({ created_at: at, streamed, raw_metadata: metadata, majordomo_api_key_id: key.id }))
        written += 1
        if (streamed) streams += 1
      }
      await ledger.drain(180_000)
      await ledger.close()
    }
    const expectBalance = async () =>
      expect(await verifyLedger(db, journals)).toMatchObject({
        written,
        lost: 0,
        waiting: 0,
        rejected: 0,
        differences: [],
      })

    await work(1) // the older program, which made the database
    await activateName(db, { name: "User-Id", key: undefined })
    await backfillName(db, "User-Id", () => {})
    await expectBalance()

    await migrate(db, undefined, newer)
    streams = 0 // the new counter starts here
    await work(2)
    await expectBalance()

    expect((await migrate(db)).did).toBe("nothing") // the older program again
    await work(3)
    await db.query("UPDATE llm_requests SET total_cost = total_cost * 2, cost_status = 'estimated' WHERE NOT streamed")
    await expectBalance()

    expect((await migrate(db, undefined, newer)).did).toBe("nothing")
    await work(4)
    await expectBalance()
    for (const { name } of ROLLUP_TABLES) {
      const { rows } = await db.query<{ total: string }>(`SELECT sum(streams) AS total FROM ${name}`)
      expect([name, Number(rows[0]!.total)]).toEqual([name, streams])
    }

    await prune(db, { olderThan: Date.parse("2026-11-04T12:00:00Z"), bodiesOnly: false })
    expect(await verifyLedger(db, journals)).toMatchObject({ differences: [], lost: 0 })
  })
})

describeDatabases("a schema that is newer and breaking", (open, kind) => {
  test("is rejected in one line by whatever opens it, and by migrate", async () => {
    const db = await open()
    const breaking = makeNewerScript("ALTER TABLE llm_requests RENAME TO requests;", { isBreaking: true })
    await migrate(db, undefined, breaking)
    expect(await readSchemaState(db.query)).toEqual({ kind: "newer", version: VERSION + 1, isBreaking: true })
    const line = `the schema of the database is newer than this program: it has version ${VERSION + 1}, and this program can use it up to version ${VERSION}; upgrade majordomo-gateway`
    await expect(migrate(db)).rejects.toThrow(line)
    if (kind === "embedded") {
      const dataDir = /\((.*)\)/.exec(db.title)![1]!
      const options = { ...postgresAt(""), driver: "embedded", dataDir } as const
      await expect(openDatabase(options, { role: "command", log: () => {} })).rejects.toThrow(line)
    }
  })
})

describe("schema.sql by psql", () => {
  const apply = (db: Database, script: SchemaScript) => db.query({ text: script.text, timeoutMs: 60_000 })

  test("records the version, and leaves a newer schema as it is", async () => {
    const { url } = await createTestDatabase({ empty: true })
    const db = await openPostgres(postgresAt(url).postgres)
    try {
      const newer = makeNewerScript(ADD_STREAMS)
      await apply(db, newer)
      const before = await describeSchema(db)
      const { readSchemaScript } = await import("../../src/database/schema-script.ts")
      await apply(db, readSchemaScript())
      expect(await describeSchema(db)).toEqual(before)
      const { rows } = await db.query("SELECT version, name, breaking FROM majordomo_migrations ORDER BY 1")
      expect(rows.at(-1)).toEqual({ version: VERSION + 1, name: "newer", breaking: false })
      expect(rows.length).toBe(VERSION + 1)
    } finally {
      await db.close()
    }
  })
})
