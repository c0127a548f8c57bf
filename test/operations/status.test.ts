import { join } from "node:path"
import { expect, test } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { status } from "../../src/api/routes/status.ts"
import type { Database } from "../../src/database/_database.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "../database/_ledger.ts"
import { createTestDatabase } from "../support/postgres.ts"

const AWAY = { query: () => Promise.reject(new Error("the database is away")) } as unknown as Database

test("status counts the rows of the data directory over its life, as its journals stored them", async () => {
  const { url } = await createTestDatabase()
  const db = await connect(url)
  await db.query(`CREATE FUNCTION reject_bad() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.model = 'bad' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER reject_bad BEFORE INSERT ON llm_requests FOR EACH ROW EXECUTE FUNCTION reject_bad()`)
  const dataDir = await makeDirectory()
  const env = { DATABASE_URL: url, MAJORDOMO_STORAGE_DATA_DIR: dataDir, MAJORDOMO_PRICING_REMOTE_URL: "" }
  const { settings } = await loadSettings({ cwd: dataDir, env })
  const { signal } = new AbortController()
  const actor = { kind: "command", name: "root", role: "viewer", id: null, address: null } as const
  const caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  const read = async () => {
    const { rows, problems } = await callLocally(status.get, caller, {})
    return { rows, problems }
  }

  const first = await openTestLedger(AWAY, join(dataDir, "journal", "1"), { timing: { lingerMs: 600_000 } })
  for (const model of ["good", "bad", "good"]) first.append(aRecord({ model }))
  await first.close()
  expect((await read()).rows).toEqual({ accepted: 3, written: 0, waiting: 3, rejected: 0, dropped: 0 })

  const second = await openTestLedger(db, join(dataDir, "journal", "1"))
  second.append(aRecord())
  await second.drain(60_000)
  await second.close()
  expect(await read()).toEqual({
    rows: { accepted: 4, written: 3, waiting: 0, rejected: 1, dropped: 0 },
    problems: ["1 row was rejected by the database: see rejected.jsonl in the journal"],
  })
})
