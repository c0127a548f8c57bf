import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { createSource } from "../../../src/reconcile/sources/index.ts"
import { ADMIN_KEYS, type BillingProvider, startBillingProvider } from "../../support/billing-provider.ts"

const NOW = Date.parse("2026-11-28T15:30:00Z")
const CREDITS =
  "The account has used $0.001641 of $1000 of credits in its life. Fees for buying credits are not in the activity."

let provider: BillingProvider
beforeAll(async () => {
  provider = await startBillingProvider({ now: NOW })
})
beforeEach(() => {
  provider.reset()
  for (const day of ["2026-10-28", "2026-10-29", "2026-11-02", "2026-11-27", "2026-11-28"]) {
    for (const key of ["hash_a", "hash_b"]) {
      provider.serve({
        provider: "openrouter",
        at: Date.parse(`${day}T12:00:00Z`),
        model: "openai/gpt-4o-mini",
        key,
        requests: 2,
        quantities: { input: 1000, cache_read: 100, output: 11 },
      })
    }
  }
})
afterAll(() => provider.close())

function fetchBill(range: { since: string; until: string }, keys?: readonly string[]) {
  const credential = ADMIN_KEYS.openrouter
  return createSource("openrouter", {
    credential,
    baseUrl: `${provider.origin}/api/v1/`,
    keys,
    now: () => NOW,
  }).fetchBill(range)
}

const LINE = { model: "openai/gpt-4o-mini", bucket: "all", tier: undefined, project: undefined }

describe("the bill of OpenRouter", () => {
  test("has one line for each day and model, with all tokens, the cost and the requests", async () => {
    const bill = await fetchBill({ since: "2026-11-01", until: "2026-11-28" })
    const both = { quantity: "2222", cost: "0.0003282", requests: 4, key: undefined }
    expect(bill.lines).toMatchObject([
      { ...LINE, ...both, day: "2026-11-02" },
      { ...LINE, ...both, day: "2026-11-27" },
    ])
    expect(bill).toMatchObject({ since: "2026-11-01", until: "2026-11-28", source: "api", notes: [CREDITS] })
  })

  test("is read without the credits if the key may not read them", async () => {
    provider.failNext(
      { body: { data: [] } },
      { status: 403, body: { error: { message: "Only management keys can perform this operation" } } },
    )
    const { notes } = await fetchBill({ since: "2026-11-01", until: "2026-11-28" })
    expect(notes).toEqual([
      expect.stringContaining("What the account has used of its credits is not known: The key in"),
    ])
  })

  test("is of single keys by their hashes", async () => {
    const { lines } = await fetchBill({ since: "2026-11-02", until: "2026-11-03" }, ["hash_b"])
    expect(lines).toMatchObject([{ ...LINE, key: "hash_b", quantity: "1111", cost: "0.0001641", requests: 2 }])
  })

  test("is of the last 30 completed days only, and says so", async () => {
    const bill = await fetchBill({ since: "2026-10-01", until: "2026-11-29" })
    expect(bill).toMatchObject({ since: "2026-10-29", until: "2026-11-28" })
    expect(bill.lines.map(({ day }) => day)).toEqual(["2026-10-29", "2026-11-02", "2026-11-27"])
    expect(bill.notes).toEqual([
      "OpenRouter reports only completed UTC days of the last 30, so this bill is of the days from 2026-10-29 to 2026-11-27.",
      CREDITS,
    ])
    await expect(fetchBill({ since: "2026-11-28", until: "2026-11-29" })).rejects.toMatchObject({
      reason: "unavailable",
      message: expect.stringContaining("only the last 30 completed UTC days, from 2026-10-29 to 2026-11-27."),
    })
  })
})
