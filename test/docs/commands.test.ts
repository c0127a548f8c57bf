import { readFileSync } from "node:fs"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"
import { readBlocks } from "./_page.ts"
import { type Desk, openDesk } from "./_snippets.ts"

const blocks = ["dashboard.md", "keys.md", "limits.md", "reports.md", "troubleshooting.md"]
  .flatMap(readBlocks)
  .filter(({ language, marks }) => language === "sh" && marks.has("run"))

describe("the commands of pages work on a database with requests", () => {
  let database: TestDatabase
  let desk: Desk

  beforeAll(async () => {
    database = await createTestDatabase()
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    const key = await insertKey(client, "Search")
    await insertRows(client, [
      { key, cost: "12.31", metadata: { Team: "search", Feature: "chat", "User-Id": "ann", Client: "curl/8.5" } },
    ])
    await client.end()
    desk = openDesk()
  })
  afterAll(async () => {
    desk?.remove()
    await database?.drop()
  })

  test.each(blocks.map((block) => [block.page, block.line, block] as const))("%s, line %i", async (page, _, block) => {
    const output = await desk.execute(block, { DATABASE_URL: database.url, MAJORDOMO_PRICING_REMOTE_URL: "" })
    expect(output).not.toBe("")
    const shown = readFileSync(new URL(`../../docs/${page}`, import.meta.url), "utf8").match(/^ {4}Requests .*$/m)
    if (shown !== null) expect(output).toContain(shown[0].trim())
  })
})
