import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest"
import { createEmbeddedPool } from "./embedded-pool.ts"

const pool = createEmbeddedPool()
beforeEach(() => pool.beginTest())
afterEach(() => pool.endTest())
afterAll(() => pool.close())

const COUNTS = `SELECT (SELECT count(*)::int FROM api_keys) AS keys, (SELECT count(*)::int FROM majordomo_migrations) AS migrations,
  nextval('majordomo_questions')::int AS question`

describe("an engine that a finished test has used", () => {
  const titles: string[] = []
  let migrations: number
  const lend = async () => {
    const database = await pool.lend()
    titles.push(database.title)
    return database
  }

  test("is lent first to a test that changes rows", async () => {
    const database = await lend()
    migrations = (await database.query<{ migrations: number }>(COUNTS)).rows[0]!.migrations
    await database.query("INSERT INTO api_keys (id, key_hash, name) VALUES (gen_random_uuid(), 'hash', 'name')")
    await database.query("DELETE FROM majordomo_migrations WHERE version > 1")
  })

  test("has the rows of a new one for the next test", async () => {
    const database = await lend()
    expect((await database.query(COUNTS)).rows).toEqual([{ keys: 0, migrations, question: 1 }])
    expect(titles[1]).toBe(titles[0])
    await database.query("CREATE INDEX test_index ON api_keys (name)")
  })

  test("is not lent again after a test has changed a definition", async () => {
    await lend()
    expect(titles[2]).not.toBe(titles[1])
  })

  test("is another one for each database of the same test", async () => {
    await lend()
    await lend()
    expect(new Set(titles.slice(3)).size).toBe(2)
  })

  test("goes on for the next file, and no more than two do", async () => {
    await lend()
    await pool.endFile()
    for (let loan = 0; loan < 3; loan++) await lend()
    expect(titles.slice(-3).map((title) => titles.indexOf(title) < titles.length - 3)).toEqual([true, true, false])
  })
})
