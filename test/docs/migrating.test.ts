import { readFileSync } from "node:fs"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { type Block, readBlocks } from "./_page.ts"
import { type Desk, openDesk } from "./_snippets.ts"

/** The pages whose commands need no gateway, with the requests that their imports add. */
const PAGES = {
  "migrating/litellm.md": 2,
  "migrating/helicone.md": 1,
  "migrating/langfuse.md": 1,
  "migrating/openrouter.md": 1,
}
const isOfImport = ({ language, marks }: Block) => marks.has("file") || (language === "sh" && marks.has("run"))
const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}.sql`, import.meta.url), "utf8")

async function query(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client.query(sql).finally(() => client.end())
}

describe("the commands of the pages about migrating work", () => {
  let desk: Desk
  beforeAll(() => {
    desk = openDesk()
  })
  afterAll(() => desk?.remove())

  const settingsOf = ({ url }: TestDatabase) => ({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "", TZ: "UTC" })

  test.each(Object.entries(PAGES))("%s", async (page, requests) => {
    const database = await createTestDatabase()
    for (const block of readBlocks(page).filter(isOfImport)) await desk.execute(block, settingsOf(database))
    const { rows } = await query(database.url, "SELECT count(*)::int AS count, min(source) AS source FROM llm_requests")
    expect(rows).toEqual([{ count: requests, source: "import" }])
    await database.drop()
  })

  test("the translated settings are those that the page shows", async () => {
    const blocks = readBlocks("migrating/litellm.md")
    const [file] = blocks.filter(({ marks }) => marks.get("file") === "config.yaml")
    await desk.execute(file!, {})
    const command = {
      ...file!,
      language: "sh",
      marks: new Map([["run", "run"]]),
      text: "majordomo-gateway import litellm-config config.yaml",
    }
    const [shown] = blocks.filter(({ text }) => text.startsWith("# Settings of majordomo-gateway"))
    expect(await desk.execute(command, {})).toContain(shown!.text)
  })

  test("migrating/go.md: in place and into another database, with the statement that it shows", async () => {
    const [old, database] = [await createTestDatabase({ empty: true }), await createTestDatabase({ empty: true })]
    await query(old.url, fixture("go-second"))
    const blocks = readBlocks("migrating/go.md")
    for (const block of blocks.filter(isOfImport)) {
      await desk.execute(block, { ...settingsOf(database), GO_DATABASE_URL: old.url })
    }
    expect((await query(database.url, "SELECT count(*)::int AS count FROM llm_requests")).rows).toEqual([{ count: 2 }])
    const [migrate] = blocks.filter(isOfImport)
    await desk.execute(migrate!, settingsOf(old))
    const [statement] = blocks.filter(({ language }) => language === "sql")
    for (const { url } of [old, database]) {
      const { rows } = await query(url, statement!.text)
      expect(rows.find(({ feature }) => feature === "search")).toEqual({
        feature: "search",
        sum: expect.stringMatching(/^0\.009620*$/),
      })
    }
    await Promise.all([old.drop(), database.drop()])
  })
})
