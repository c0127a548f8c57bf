import { mkdtemp, readdir } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { NO_READING, NO_USAGE } from "../../src/core/usage.ts"
import type { Database } from "../../src/database/_database.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createPriceHistoryStore } from "../../src/database/price-history.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { bodyOf, listedRow } from "../pricing/_list.ts"
import { postgresAt } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"

const DAY = 86_400_000
const START = Date.parse("2026-11-20T12:00:00Z")

let now = START
let rate = 3
const server = createServer((_, response) => {
  response.end(JSON.stringify(bodyOf([listedRow("openai", "gpt-4o", rate, 12, 1.5)], "2026-11-19")))
})
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
afterAll(() => server.close())
beforeEach(() => {
  now = START
  rate = 3
})

const open = (url: string) => openDatabase(postgresAt(url), { role: "command", log: () => {} })

/** The price book of a gateway with a data directory of its own. */
async function createGateway(database: Database, { dataDir, said = [] }: { dataDir?: string; said?: string[] } = {}) {
  return createPriceBook({
    remoteUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    refreshIntervalMs: DAY,
    dataDir: dataDir ?? (await mkdtemp(join(tmpdir(), "history-"))),
    history: createPriceHistoryStore(database),
    now: () => now,
    log: (line) => said.push(line),
  })
}

function inputRateAt(book: PriceBook, at: number): string | undefined {
  const parts = [{ model: "gpt-4o", usage: { ...NO_USAGE, input: 1 }, contextTokens: 1, role: "answer" as const }]
  const reading = { ...NO_READING, model: "gpt-4o", source: "reported" as const, parts }
  return book.price({ provider: "openai", requestedModel: undefined, reading, at }).price?.lines[0]?.rate
}

const CHANGES = `SELECT (extract(epoch FROM valid_from) * 1000)::bigint::float8 AS at, prices->>'input' AS input
  FROM llm_price_history WHERE model = 'gpt-4o' ORDER BY valid_from`

test("gateways of one database share the history of prices, also one with an empty data directory", async () => {
  const db = await open((await createTestDatabase()).url)
  const [one, other] = [await createGateway(db), await createGateway(db)]
  await one.refresh()
  now += DAY
  rate = 30
  await other.refresh()
  const changedAt = now
  expect(inputRateAt(one, now)).toBe("3")
  now += 3_600_000
  await one.refresh()
  const late = await createGateway(db)

  expect((await db.query(CHANGES)).rows).toEqual([
    { at: Date.parse("2026-11-19"), input: "3" },
    { at: changedAt, input: "30" },
  ])
  await late.refresh()
  for (const book of [one, other, late]) {
    expect([START, changedAt - 1, changedAt, now].map((at) => inputRateAt(book, at))).toEqual(["3", "3", "30", "30"])
    book.close()
  }
  await db.close()
})

test("a change that is seen while the database is away is kept in the file, and moved when the gateway starts again", async () => {
  const { url } = await createTestDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), "history-"))
  const said: string[] = []
  const lost = await open(url)
  const book = await createGateway(lost, { dataDir, said })
  await book.refresh()
  await lost.close()
  now += DAY
  rate = 30
  await book.refresh()
  book.close()
  expect(said).toEqual([expect.stringContaining("the history of prices in the database cannot be used")])
  expect(await readdir(dataDir)).toContain("price-history.jsonl")

  const db = await open(url)
  const next = await createGateway(db, { dataDir })
  expect(inputRateAt(next, START)).toBe("3")
  next.start()
  await expect
    .poll(async () => (await db.query(CHANGES)).rows)
    .toEqual([
      { at: Date.parse("2026-11-19"), input: "3" },
      { at: START + DAY, input: "30" },
    ])
  await expect.poll(() => readdir(dataDir)).toEqual(["llm-prices.json"])
  next.close()
  await db.close()
})
