import { expect, test } from "vitest"
import type { PriceChange } from "../../src/core/price-history.ts"
import type { Database } from "../../src/database/_database.ts"
import { createPriceHistoryStore } from "../../src/database/price-history.ts"
import { describeDatabases } from "../support/databases.ts"

const DAY = 86_400_000
const FIRST = Date.parse("2026-11-01")

/** A change of the price of model `m`, seen `day` days after the first of November. */
function change(prices: unknown, day: number, more: Partial<PriceChange> = {}): PriceChange {
  const seenAt = FIRST + day * DAY
  return { source: "litellm", provider: "openai", model: "m", from: seenAt, seenAt, prices, ...more }
}

async function rowsOf(db: Database, model = "m") {
  const { rows } = await db.query<{ valid_from: Date; prices: unknown }>({
    text: "SELECT valid_from, prices FROM llm_price_history WHERE model = $1 ORDER BY valid_from",
    values: [model],
  })
  return rows.map(({ valid_from, prices }) => [(valid_from.getTime() - FIRST) / DAY, prices])
}

describeDatabases("the history of prices in the database", (open) => {
  test("has one row for each change, however many gateways see it", async () => {
    const db = await open()
    const gateways = Array.from({ length: 4 }, () => createPriceHistoryStore(db))
    const days = [0, 0.01, 0.02, 0.03]
    await Promise.all(gateways.map((gateway, index) => gateway.add([change({ input: 1 }, days[index]!)])))
    await Promise.all(
      gateways.map((gateway, index) => gateway.add([change({ input: 2, output: 3 }, 5 + days[index]!)])),
    )
    await Promise.all(
      gateways.map((gateway, index) => gateway.add([change({ output: 3, input: 2 }, 9 + days[index]!)])),
    )
    expect(await rowsOf(db)).toEqual([
      [0, { input: 1 }],
      [5, { input: 2, output: 3 }],
    ])
  })

  test("gives a change the earliest time at which a gateway saw it, and adds what came between", async () => {
    const db = await open()
    const store = createPriceHistoryStore(db)
    await store.add([change(1, 1), change(2, 20)])
    await store.add([change(2, 15), change(3, 10), change(null, 30), change(2, 40)])
    expect(await rowsOf(db)).toEqual([
      [1, 1],
      [10, 3],
      [15, 2],
      [30, null],
      [40, 2],
    ])
  })

  test("takes the day of a list for the time of first prices only if it knows nothing of that time", async () => {
    const db = await open()
    const store = createPriceHistoryStore(db)
    await store.add([change(1, 3.5, { from: FIRST + 3 * DAY })])
    expect(await rowsOf(db)).toEqual([[3, 1]])
    await store.add([change(2, 8.5, { from: FIRST + 2 * DAY })])
    await store.add([change(1, 2.5, { from: FIRST + 2 * DAY })])
    expect(await rowsOf(db)).toEqual([
      [2, 1],
      [8.5, 2],
    ])
  })

  test("is read once by each gateway, and then only what was added or got an earlier time", async () => {
    const db = await open()
    const [one, other] = [createPriceHistoryStore(db), createPriceHistoryStore(db)]
    await one.add([change({ input: 0.000001 }, 1), change(2, 5)])
    expect(await other.readNew()).toEqual([change({ input: 0.000001 }, 1), change(2, 5)])
    expect(await other.readNew()).toEqual([])
    await one.add([change(2, 5), change(1, 1, { model: "n" })])
    await one.add([change(2, 4)])
    expect(await other.readNew()).toEqual([change(1, 1, { model: "n" }), change(2, 4)])
    expect(await createPriceHistoryStore(db).readNew()).toHaveLength(3)
  })

  test("leaves out what PostgreSQL cannot store, so that it does not stop the rest", async () => {
    const db = await open()
    const odd = ["a\0b", "a\ud800", "x".repeat(3000)].map((model) => change(1, 1, { model }))
    await createPriceHistoryStore(db).add([...odd, change({ note: "\0" }, 1, { model: "n" }), change(1, 1)])
    expect((await createPriceHistoryStore(db).readNew()).map(({ model }) => model)).toEqual(["m"])
  })

  test("takes a first list of thousands of models in one go", async () => {
    const db = await open()
    const many = Array.from({ length: 3000 }, (_, index) => change({ input: index }, 1, { model: `m${index}` }))
    const store = createPriceHistoryStore(db)
    await store.add(many)
    await store.add(many)
    expect(await store.readNew()).toHaveLength(3000)
  })
})
