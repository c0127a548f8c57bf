import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Settings } from "../../src/config/settings.ts"
import { NO_READING, NO_USAGE } from "../../src/core/usage.ts"
import { createPriceOverrideStore } from "../../src/database/price-overrides.ts"
import { parseOverrideDay, parseOverrideName, parseOverridePrice } from "../../src/operations/prices/override.ts"
import { listOverrides } from "../../src/operations/prices/overrides.ts"
import { setPrice } from "../../src/operations/prices/set.ts"
import { unsetPrice } from "../../src/operations/prices/unset.ts"
import type { PriceBookOptions } from "../../src/pricing/options.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { describeDatabases } from "../support/databases.ts"

const TODAY = Date.parse("2026-11-28T12:00:00Z")
const actor = { kind: "token", name: "Ada", role: "admin", id: "t", address: "192.0.2.1" } as const
const settings = { providers: { openai: {}, azure: {} } } as unknown as Settings

describeDatabases("prices that are set in the database", (open) => {
  let db: Awaited<ReturnType<typeof open>>
  const books: PriceBook[] = []
  const notes: string[] = []
  /** The prices of a gateway, which follows the database. */
  async function openBook(overrides?: PriceBookOptions["overrides"]): Promise<PriceBook> {
    const book = await createPriceBook({
      remoteUrl: "",
      refreshIntervalMs: 86_400_000,
      overrides,
      storedOverrides: createPriceOverrideStore(db, (line) => notes.push(line)),
      now: () => TODAY,
      log: (line) => notes.push(line),
    })
    books.push(book)
    book.start()
    return book
  }
  const contextOf = (prices: PriceBook) => ({
    database: db,
    prices,
    settings,
    actor,
    now: () => TODAY,
    log: (line: string) => void notes.push(line),
  })
  const set = (book: PriceBook, model: string, rates: object, more: { provider?: string; from?: string } = {}) =>
    setPrice(contextOf(book), {
      ...parseOverrideName(model, more.provider),
      price: parseOverridePrice({ ...rates }, more.from),
    })
  const unset = (book: PriceBook, model: string, more: { provider?: string; from?: string } = {}) =>
    unsetPrice(contextOf(book), { ...parseOverrideName(model, more.provider), from: parseOverrideDay(more.from) })

  beforeAll(async () => {
    db = await open()
  })
  afterAll(async () => {
    for (const book of books) await book.close()
  })

  /** What one million tokens of input cost, and who says so. */
  function inputPriceOf(book: PriceBook, model: string, provider = "openai", at = TODAY): string {
    const parts = [{ model, usage: { ...NO_USAGE, input: 1_000_000 }, contextTokens: 1, role: "answer" as const }]
    const reading = { ...NO_READING, model, source: "reported" as const, parts }
    const { totalCost, price } = book.price({ provider, requestedModel: undefined, reading, at })
    return `${totalCost ?? "unknown"} by ${price?.lines[0]?.source ?? "nobody"}`
  }

  test("every gateway of the database prices new requests with a price that one of them has set", async () => {
    const [one, other] = [await openBook(), await openBook()]
    expect(inputPriceOf(other, "house-model")).toBe("unknown by nobody")
    await set(one, "House-Model", { input: "0.5", output: "1.5" })
    expect(inputPriceOf(one, "house-model"), "at once where it was set").toBe("0.5 by stored_overrides")
    await expect.poll(() => inputPriceOf(other, "house-model")).toBe("0.5 by stored_overrides")
    await unset(one, "house-model")
    expect(inputPriceOf(one, "house-model")).toBe("unknown by nobody")
    await expect.poll(() => inputPriceOf(other, "house-model")).toBe("unknown by nobody")
  })

  test("a price applies from its day until the day of the next one, and only at its provider", async () => {
    const book = await openBook()
    await set(book, "dated", { input: 1 })
    await set(book, "dated", { input: 2 }, { from: "2026-11-01" })
    await set(book, "dated", { input: 3 }, { from: "2026-12-01" })
    await set(book, "dated", { input: 9 }, { provider: "azure" })
    const at = (day: string) => inputPriceOf(book, "dated", "openai", Date.parse(day))
    expect(["2026-10-31T23:59:59Z", "2026-11-01", "2026-11-30T23:59:59Z", "2026-12-01"].map(at)).toEqual(
      ["1", "2", "2", "3"].map((usd) => `${usd} by stored_overrides`),
    )
    expect(inputPriceOf(book, "dated", "azure")).toBe("9 by stored_overrides")
    await unset(book, "dated", { from: "start" })
    expect(at("2026-10-01")).toBe("unknown by nobody")
    await unset(book, "dated", { from: "2026-11-01" })
    expect(inputPriceOf(book, "dated")).toBe("unknown by nobody")
    expect((await listOverrides({ database: db })).filter(({ model }) => model === "dated")).toMatchObject([
      { provider: null, from: "2026-12-01", rates: { input: "3" }, set_by: "Ada" },
      { provider: "azure", from: null, rates: { input: "9" }, set_by: "Ada" },
    ])
  })

  test("a price in the settings wins over one in the database, and setting it says so", async () => {
    const book = await openBook({ configured: [{ base: { input: "7" }, tiers: [] }] })
    notes.length = 0
    await set(book, "configured", { input: 5, output: 6 })
    expect(inputPriceOf(book, "configured")).toBe("7 by overrides")
    expect(notes).toEqual(["note: input is 7, because overrides comes first"])
  })

  test("a price that is far from the known one is set, and the person is told", async () => {
    const book = await openBook()
    notes.length = 0
    await set(book, "gpt-4o-mini", { input: "0.00000015" })
    expect(notes.join()).toMatch(/^note: pricing set: gpt-4o-mini: input is 0\.00000015 .* the known price is 0\.15/)
    await unset(book, "gpt-4o-mini")
    expect(inputPriceOf(book, "gpt-4o-mini")).toMatch(/^0\.15 by /)
  })

  test("the audit log has the price before and after", async () => {
    const book = await openBook()
    await set(book, "audited", { input: 1 })
    await set(book, "audited", { input: 2 })
    await unset(book, "audited")
    const { rows } = await db.query(
      "SELECT actor_name, action, target, before, after FROM llm_audit WHERE target = 'audited' ORDER BY at",
    )
    const price = (input: string) => expect.objectContaining({ model: "audited", rates: { input } })
    expect(rows).toEqual([
      { actor_name: "Ada", action: "pricing.set", target: "audited", before: null, after: price("1") },
      { actor_name: "Ada", action: "pricing.set", target: "audited", before: price("1"), after: price("2") },
      { actor_name: "Ada", action: "pricing.unset", target: "audited", before: price("2"), after: null },
    ])
  })

  test("a row that is not a price is left out with a line in the log, and the others are used", async () => {
    const book = await openBook()
    notes.length = 0
    await db.query(`INSERT INTO majordomo_price_overrides (model, rates, set_by)
      VALUES ('broken', '{"input": "cheap"}', 'psql'), ('by-hand', '{"input": "4"}', 'psql')`)
    await expect.poll(() => inputPriceOf(book, "by-hand")).toBe("4 by stored_overrides")
    expect(notes.join()).toMatch(/the price of broken .*got "cheap"; it is not used/)
    await db.query("DELETE FROM majordomo_price_overrides WHERE set_by = 'psql'")
  })

  describe("a price is rejected", () => {
    test.each([
      ["with a rate that is no number", { input: "cheap" }, {}, "input: expected USD per million tokens"],
      ["with a negative rate", { output: -1 }, {}, "output: expected USD per million tokens"],
      ["without a rate", {}, {}, "rates: expected at least one rate"],
      ["with a day that is none", { input: 1 }, { from: "soon" }, "from: expected a day"],
      ["at a provider that does not exist", { input: 1 }, { provider: "opnai" }, "provider: expected a configured"],
    ])("%s", async (_, rates, more, message) => {
      const book = await openBook()
      const attempt = async () => set(book, "rejected", rates, more)
      await expect(attempt()).rejects.toThrow(message)
    })

    test("if there is nothing to remove, that is said", async () => {
      await expect(unset(books[0]!, "never-set", { provider: "azure" })).rejects.toThrow(
        "no price was set for never-set at azure",
      )
    })
  })
})
