import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { describeDatabases } from "../support/databases.ts"
import { insertRandomUsage } from "../support/random-usage.ts"
import { listFiles, makeFolder, NOW, run, verify } from "./_archive.ts"
import { askDuckDb } from "./_duckdb.ts"

const DAYS = { since: "2026-11-25T00:00:00Z", until: "2026-11-28T00:00:00Z", keys: [] }

const insert = (
  db: Database,
  rows: number,
  time: { readonly since: string; readonly until: string } = DAYS,
  seed = 5,
) => insertRandomUsage({ query: (text, values) => db.query({ text, values }) }, { ...DAYS, ...time, rows, seed })

const toGlob = (folder: string) => `'${folder}/requests/*/*.parquet'`
const count = async (folder: string) =>
  Number((await askDuckDb(`SELECT count(*) AS n FROM read_parquet(${toGlob(folder)})`))[0]!["n"])
const readStatus = async (db: Database) => {
  const { rows } = await db.query<{ day: string; status: string }>(
    "SELECT day::text AS day, status FROM llm_archive_days ORDER BY llm_archive_days.day",
  )
  return Object.fromEntries(rows.map(({ day, status }) => [day, status]))
}

/** Expects that the files have each row of the database once, with the same values. */
async function expectSameRows(db: Database, folder: string): Promise<void> {
  const { rows } = await db.query<Record<string, string | null>>(`
    SELECT id::text AS id, created_at::timestamp::text AS created_at, total_cost::text AS total_cost, input_tokens::text AS input_tokens,
      raw_metadata ->> 'User-Id' AS user_id, model, majordomo_api_key_id::text AS key FROM llm_requests
    WHERE created_at < '2026-11-28' ORDER BY id`)
  const found = await askDuckDb(`
    SELECT id, strftime(created_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f') AS created_at, total_cost::varchar AS total_cost,
      input_tokens, raw_metadata ->> '$."User-Id"' AS user_id, model, majordomo_api_key_id AS key
    FROM read_parquet(${toGlob(folder)}) ORDER BY id`)
  const toMicros = (text: string | null) => text?.padEnd(20, ".").padEnd(26, "0").slice(0, 26)
  expect(found.map((row) => ({ ...row, created_at: toMicros(row["created_at"]!) }))).toEqual(
    rows.map((row) => ({ ...row, created_at: toMicros(row["created_at"]!) })),
  )
}

describeDatabases("the archive", (open) => {
  test("has each row of finished days once, with the same values, and verified against the totals of reports", async () => {
    const [db, to] = [await open(), makeFolder()]
    await insert(db, 900)
    const result = await run(db, { to })
    expect(result.days.map(({ day, status, files }) => [day, status, files])).toEqual(
      ["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28"].map((day) => {
        return [day, "verified", day === "2026-11-28" ? [] : ["part-00000.parquet"]]
      }),
    )
    await expectSameRows(db, to)
    expect(await verify(db, { to })).toMatchObject({ balanced: true, days: 5, files: 4, rows: 900, unfinished: [] })
    expect((await run(db, { to })).days).toEqual([])
  })

  test("divides a day into files of bounded size", async () => {
    const [db, to] = [await open(), makeFolder()]
    await insert(db, 500, { since: "2026-11-26T01:00:00Z", until: "2026-11-26T20:00:00Z" })
    await run(db, { to, rowsPerFile: 200 })
    expect(listFiles(to)).toEqual([0, 1, 2].map((n) => `requests/date=2026-11-26/part-0000${n}.parquet`))
    await expectSameRows(db, to)
  })

  test("writes requests that come later to an extra file, also when their day was pruned", async () => {
    const [db, to] = [await open(), makeFolder()]
    const time = { since: "2026-11-26T01:00:00Z", until: "2026-11-26T20:00:00Z" }
    await insert(db, 100, time)
    await run(db, { to })
    await insert(db, 30, time, 6)
    expect((await readStatus(db))["2026-11-26"]).toBe("late")
    await run(db, { to })
    expect(listFiles(to)).toEqual(
      ["late-00000", "part-00000"].map((name) => `requests/date=2026-11-26/${name}.parquet`),
    )
    await expectSameRows(db, to)
    await db.query("UPDATE majordomo_schema SET pruned_before = '2026-11-28'")
    await db.query("BEGIN; SET LOCAL majordomo.same_sums = 'on'; DELETE FROM llm_requests; COMMIT")
    await insert(db, 7, time, 8)
    const { days } = await run(db, { to })
    expect(days.map(({ day, status, rows, files }) => [day, status, rows, files.length])).toEqual([
      ["2026-11-26", "verified", 137, 3],
    ])
    expect(await count(to)).toBe(137)
  })

  test("writes a day again when its requests have changed", async () => {
    const [db, to] = [await open(), makeFolder()]
    const time = { since: "2026-11-26T01:00:00Z", until: "2026-11-26T20:00:00Z" }
    await insert(db, 300, time)
    await run(db, { to, rowsPerFile: 100 })
    await insert(db, 20, time, 9)
    await run(db, { to })
    await db.query("UPDATE llm_requests SET total_cost = total_cost + 0.000000000001 WHERE status_code = 200")
    expect((await readStatus(db))["2026-11-26"]).toBe("changed")
    await run(db, { to })
    expect((await readStatus(db))["2026-11-26"]).toBe("verified")
    expect(listFiles(to)).toHaveLength(4)
    await expectSameRows(db, to)
  })

  test("a file that was changed or removed is found, and the totals of reports too", async () => {
    const [db, to] = [await open(), makeFolder()]
    await insert(db, 300)
    await run(db, { to })
    writeFileSync(join(to, "requests/date=2026-11-26/part-00000.parquet"), "PAR1")
    const { balanced, differences } = await verify(db, { to })
    expect([balanced, differences]).toEqual([
      false,
      [{ day: "2026-11-26", problem: "part-00000.parquet is not what was written" }],
    ])
    await db.query("UPDATE llm_usage_daily SET total_cost = total_cost + 1 WHERE day = '2026-11-25'")
    const problems = (await verify(db, { to })).differences.map(({ day }) => day)
    expect(problems).toEqual(["2026-11-25", "2026-11-26"])
  })

  test("a day whose files do not agree with the totals is not verified", async () => {
    const [db, to] = [await open(), makeFolder()]
    await insert(db, 300)
    await db.query("UPDATE llm_usage_daily SET input_tokens = input_tokens + 1 WHERE day = '2026-11-25'")
    const { days } = await run(db, { to })
    const failed = days.filter(({ status }) => status !== "verified")
    expect(failed.map(({ day, status }) => [day, status])).toEqual([["2026-11-25", "failed"]])
    expect(failed[0]!.problem).toMatch(/the files differ from the totals of reports: input_tokens \d+ instead of \d+/)
  })

  test("days that are not finished, and those that were not asked for, are left", async () => {
    const [db, to] = [await open(), makeFolder()]
    await insert(db, 300)
    const early = await run(db, { to, now: Date.parse("2026-11-28T01:59:59Z") })
    expect(early.days.at(-1)!.day).toBe("2026-11-26")
    expect((await run(db, { to, before: "2026-11-27" })).days).toEqual([])
    expect((await run(db, { to, now: NOW })).days.map(({ day }) => day)).toEqual(["2026-11-27", "2026-11-28"])
  })

  test("one database does not write over the archive of another", async () => {
    const [db, to] = [await open(), makeFolder()]
    writeFileSync(join(to, "_majordomo.json"), '{"archive":"11111111-1111-4111-8111-111111111111"}')
    await insert(db, 3)
    await expect(run(db, { to })).rejects.toThrow(/has the archive of another database/)
  })
})
