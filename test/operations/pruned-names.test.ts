import { expect, test } from "vitest"
import { GATEWAY_ACTOR } from "../../src/core/actor.ts"
import type { Database } from "../../src/database/_database.ts"
import { prune } from "../../src/database/prune.ts"
import { activateMetadata } from "../../src/operations/metadata/activate.ts"
import { listMetadata } from "../../src/operations/metadata/list.ts"
import { summarizeUsage } from "../../src/operations/usage/overview.ts"
import { parseDimensions, parseFilters } from "../../src/operations/usage/question.ts"
import { reportUsage } from "../../src/operations/usage/report.ts"
import { describeDatabases } from "../support/databases.ts"

const until = Date.parse("2026-03-20")
const sinceDay = (day: string) => ({ since: Date.parse(day), until, tz: "UTC" })
const ALL = sinceDay("2026-03-01")
const WHERE = parseFilters({ where: ["User-Id=7"] })
const NONE = parseFilters({ where: [] })
const BY_USER = parseDimensions("User-Id")
const onProgress = () => {}

async function add(db: Database, day: string): Promise<void> {
  await db.query({
    text: `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, created_at,
        response_time_ms, status_code, total_cost, cost_status, raw_metadata)
      VALUES ('openai', 'm', '/', 'POST', $1, $1, $1, 1, 200, 1.5, 'exact', '{"User-Id": "7"}')`,
    values: [`${day}T10:00:00Z`],
  })
}

describeDatabases("a metadata name that was activated after requests were pruned", (open) => {
  test("is reported with the day from which its values are known", async () => {
    const database = await open()
    for (const day of ["2026-03-01", "2026-03-10"]) await add(database, day)
    await prune(database, { olderThan: Date.parse("2026-03-05"), bodiesOnly: false })
    await activateMetadata({ database, actor: GATEWAY_ACTOR, onProgress }, { name: "User-Id", key: undefined })
    const known = "requests before 2026-03-05 were pruned before User-Id was active, so their values are not known"

    const byUser = await reportUsage({ database }, { by: BY_USER, period: ALL, filters: NONE })
    expect(byUser.answer.rows.map(({ values, total_cost }) => [values[0], total_cost])).toEqual([
      ["7", "1.5"],
      [null, "1.5"],
    ])
    expect(byUser.notes).toEqual([`${known}: they are counted under (none)`])
    const filtered = await reportUsage({ database }, { by: [], period: ALL, filters: WHERE })
    expect(filtered.answer.total.total_cost).toBe("1.5")
    expect(filtered.notes).toEqual([`${known}: this report does not count them`])
    const later = { by: BY_USER, period: sinceDay("2026-03-05"), filters: NONE }
    expect((await reportUsage({ database }, later)).notes).toEqual([])
    // The period before is incomplete, with which an overview compares.
    const compared = { by: [], period: sinceDay("2026-03-08"), filters: WHERE }
    const overview = await summarizeUsage({ database, now: () => until }, compared)
    expect(overview.notes).toEqual([`${known}: this report does not count them`])

    const names = await listMetadata({ database }, { values: true })
    expect(names.find(({ name }) => name === "User-Id")?.counted_since).toBe("2026-03-05T00:00:00.000Z")
    // What is pruned later was counted before.
    await prune(database, { olderThan: Date.parse("2026-03-15"), bodiesOnly: false })
    await activateMetadata({ database, actor: GATEWAY_ACTOR, onProgress }, { name: "User-Id", key: undefined })
    const again = await reportUsage({ database }, { by: BY_USER, period: ALL, filters: NONE })
    expect(again.answer.rows).toHaveLength(2)
    expect(again.notes).toEqual([`${known}: they are counted under (none)`])
  })
})
