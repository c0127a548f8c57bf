import { expect, test } from "vitest"
import { withAsker } from "../../src/operations/usage/asker.ts"
import { parseDimensions, parseFilters } from "../../src/operations/usage/question.ts"
import { connect } from "../database/_ledger.ts"
import { createTestDatabase } from "../support/postgres.ts"

test("a report does not count a day twice that is added to its week between two of its statements", async () => {
  const database = await connect((await createTestDatabase()).url)
  await database.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true)")
  await database.query("UPDATE majordomo_schema SET folded_before = '2026-02-09'")
  await database.query(`INSERT INTO llm_usage_metadata (name, day, value, requests, total_cost)
    SELECT 'User-Id', day, '7', 1, 1 FROM generate_series('2026-02-02'::date, '2026-02-13', '1 day') AS day`)
  await database.query("SELECT majordomo_fold_again('-infinity')")
  const question = {
    by: parseDimensions("User-Id"),
    period: { since: Date.parse("2026-02-02"), until: Date.parse("2026-02-14"), tz: "UTC" },
    filters: parseFilters({ where: ["User-Id=7"] }),
  }
  const answer = await withAsker(database, async ({ ask }) => {
    await database.query("SELECT majordomo_fold_days()") // on another connection, as the first batch of a day does
    return ask(question)
  })
  expect(answer.total.requests).toBe(12)
})
