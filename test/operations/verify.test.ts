import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { toVerdict } from "../../src/cli/verify.ts"
import { insertLimit } from "../../src/database/limits.ts"
import { prune } from "../../src/database/prune.ts"
import { verify } from "../../src/operations/verify.ts"
import { connect, makeDirectory } from "../database/_ledger.ts"
import { insertRequests } from "../database/_verify.ts"
import { createTestDatabase } from "../support/postgres.ts"

test("verify names what differs, --repair computes it again and says so, and pruned days stay as they are", async () => {
  const database = await connect((await createTestDatabase()).url)
  const settings = { storage: { dataDir: await makeDirectory() } } as Parameters<typeof verify>[0]["settings"]
  const progress: [done: number, total: number][] = []
  const context = { database, settings, onProgress: (done: number, total: number) => progress.push([done, total]) }
  const run = (input: Partial<Parameters<typeof verify>[1]> = {}) =>
    verify(context, { repair: false, all: false, ...input })
  await insertRequests(database, "2026-02-01T00:00:00Z", 1, 20)
  expect(toVerdict(await run())).toMatchInlineSnapshot(
    `"The books balance: 20 accepted = 20 written + 0 waiting + 0 rejected + 0 dropped; the rollups agree with the rows (4 days compared)"`,
  )
  expect([progress[0], progress.at(-1)]).toEqual([
    [0, 20],
    [20, 20],
  ])

  await database.query("UPDATE llm_usage_hourly SET errors = 7, exact = 7 WHERE hour = '2026-02-03T12:00Z'")
  await database.query("UPDATE llm_usage_daily SET total_cost = 1 WHERE day = '2026-02-04'")
  const found = await run()
  expect(found).toMatchObject({ balanced: false, wrong_days: ["2026-02-03", "2026-02-04"], repaired_days: [] })
  expect(toVerdict(found)).toMatchInlineSnapshot(`
    "The books do NOT balance: 20 accepted = 20 written + 0 waiting + 0 rejected + 0 dropped; the rollups DIFFER from the rows (3 days compared, 1 proven before)
      llm_usage_hourly 2026-02-03T12:00Z: errors, exact
      llm_usage_daily 2026-02-04: total_cost
    Repair them with majordomo-gateway verify --repair"
  `)
  const repaired = await run({ repair: true })
  expect(repaired).toMatchObject({ balanced: true, wrong_days: [], repaired_days: ["2026-02-03", "2026-02-04"] })
  expect(toVerdict(repaired)).toMatchInlineSnapshot(`
    "The books balance: 20 accepted = 20 written + 0 waiting + 0 rejected + 0 dropped; the rollups agree with the rows (3 days compared, 1 proven before)
    Computed again from the rows:
      llm_usage_hourly 2026-02-03: errors, exact
      llm_usage_daily 2026-02-04: total_cost"
  `)

  await prune(database, { olderThan: Date.parse("2026-02-03T00:00:00Z"), bodiesOnly: false })
  await database.query("UPDATE llm_usage_daily SET total_cost = 1 WHERE day = '2026-02-01'")
  const pruned = await run({ repair: true })
  expect(pruned).toMatchObject({ balanced: false, repairs: [], differences: [{ repairable: false }] })
  expect(toVerdict(pruned)).toMatchInlineSnapshot(`
    "The books do NOT balance: 9 accepted = 9 written + 0 waiting + 0 rejected + 0 dropped; the rollups DIFFER from the rows (1 day compared, 1 proven before, 2 pruned)
      llm_usage_daily 2026-02-01: total_cost (cannot be repaired: the requests of that day were pruned)"
  `)
})

test("verify compares limits with the rows, and --repair counts them again", async () => {
  const database = await connect((await createTestDatabase()).url)
  const settings = { storage: { dataDir: await makeDirectory() } } as Parameters<typeof verify>[0]["settings"]
  const run = (repair = false) => verify({ database, settings, onProgress: () => {} }, { repair, all: false })
  await insertRequests(database, "2026-02-01T00:00:00Z", 1, 2)
  const limit = { name: "Team", measure: "cost", amount: "1" } as const
  await insertLimit(database.query, { ...limit, window: "total" })
  await insertLimit(database.query, { ...limit, name: "Running", measure: "concurrency", window: "total" })
  await database.query("UPDATE llm_limit_usage SET cost = cost + 1, notified = 50")
  expect(toVerdict(await run())).toMatchInlineSnapshot(`
    "The books do NOT balance: 2 accepted = 2 written + 0 waiting + 0 rejected + 0 dropped; the rollups DIFFER from the rows (1 day compared, 1 limit)
      llm_limit_usage total of Team: cost
    Repair them with majordomo-gateway verify --repair"
  `)
  expect(await run(true)).toMatchObject({ balanced: true, limits: 1, repairs: [{ name: "Team", counters: ["cost"] }] })
  expect((await database.query("SELECT requests, notified FROM llm_limit_usage")).rows).toEqual([
    { requests: "2", notified: 50 },
  ])
})

test("[L13] verify names a file of the journal that cannot be read, and the books do not balance", async () => {
  const database = await connect((await createTestDatabase()).url)
  const dataDir = await makeDirectory()
  const segment = join(dataDir, "journal", "1", "000000000001.jsonl")
  mkdirSync(segment, { recursive: true }) // which is read as a file, and so fails for every user
  const settings = { storage: { dataDir } } as Parameters<typeof verify>[0]["settings"]
  const result = await verify({ database, settings, onProgress: () => {} }, { repair: false, all: false })
  expect(result.balanced).toBe(false)
  expect(toVerdict(result).replace(dataDir, "DATA_DIR")).toMatchInlineSnapshot(`
    "The books do NOT balance: 0 accepted = 0 written + 0 waiting + 0 rejected + 0 dropped; the rollups agree with the rows (0 days compared)
      DATA_DIR/journal/1/000000000001.jsonl cannot be read (EISDIR), so its rows are not proven"
  `)
})

test("[L10] verify names parts of the schema without which new rows are not counted, and the books do not balance", async () => {
  const database = await connect((await createTestDatabase()).url)
  const settings = { storage: { dataDir: await makeDirectory() } } as Parameters<typeof verify>[0]["settings"]
  await database.query("DROP TRIGGER majordomo_added ON llm_requests")
  await database.query("ALTER TABLE llm_requests DISABLE TRIGGER majordomo_changed")
  const result = await verify({ database, settings, onProgress: () => {} }, { repair: false, all: false })
  expect(result.balanced).toBe(false)
  expect(toVerdict(result)).toMatchInlineSnapshot(`
    "The books do NOT balance: 0 accepted = 0 written + 0 waiting + 0 rejected + 0 dropped; the rollups agree with the rows (0 days compared)
      the schema: trigger majordomo_added of llm_requests is missing
      the schema: trigger majordomo_changed does not run
    Correct the schema as majordomo-gateway doctor says, then run majordomo-gateway verify --repair"
  `)
})
