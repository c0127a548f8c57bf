import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { priceOverrides } from "../../src/api/routes/price-overrides.ts"
import { prices } from "../../src/api/routes/prices.ts"
import type { Limit } from "../../src/core/limit.ts"
import { fromUnits } from "../../src/core/limit-units.ts"
import { updateLimit } from "../../src/database/limits.ts"
import { type Asked, costOf, type Gateways, startGateways, WAIT } from "./_gateways.ts"

let gateways: Gateways
beforeAll(async () => {
  gateways = await startGateways()
})
afterAll(() => gateways.close())

/** Sends requests at once over all gateways, and returns how many were answered. */
async function sendAtOnce(count: number, asked: Asked): Promise<number> {
  const asks = Array.from({ length: count }, (_, i) => gateways.ask(i % 3, asked))
  return (await Promise.all(asks)).filter(({ status }) => status === 200).length
}

/** Returns what each value of `per` has used, by the limit and by its rows. */
async function readValues({ id, per }: Limit, team: string) {
  const { rows } = await gateways.sql.query(
    `SELECT u.value, u.requests::int AS counted, count(*)::int AS rows, u.cost = sum(r.total_cost) AS agrees
     FROM llm_limit_usage u JOIN llm_requests r ON r.raw_metadata ->> $2 = u.value AND r.raw_metadata ->> 'Team' = $3
     WHERE u.limit_id = $1 AND r.outcome = 'complete' GROUP BY u.value, u.requests, u.cost ORDER BY u.value`,
    [id, per, team],
  )
  return rows as readonly { readonly value: string; readonly counted: number }[]
}

describe("the first requests of users that nobody has seen", () => {
  test("share one new budget per user, however many come at once and wherever", async () => {
    const limit = await gateways.limit("users", { amount: "5", per: "User-Id" })
    const users = ["ann", "bob", "eve"]
    const answered = new Map(users.map((user) => [user, 0]))
    const send = async (user: string, count: number) => {
      const headers = { "X-Majordomo-Team": "users", "X-Majordomo-User-Id": user }
      answered.set(user, answered.get(user)! + (await sendAtOnce(count, { headers, script: { delayMs: 30 } })))
    }
    await Promise.all(users.map((user) => send(user, 30)))
    for (const count of answered.values()) expect(count).toBeLessThanOrEqual(5)
    // What was idle in the lease of another gateway is free a moment later.
    await vi.waitFor(async () => {
      await Promise.all(users.map((user) => send(user, 6)))
      expect([...answered.values()]).toEqual([5, 5, 5])
    }, WAIT)
    await Promise.all(users.map((user) => send(user, 6)))
    await gateways.settled()
    expect([...answered.values()]).toEqual([5, 5, 5])
    const seen = (await readValues(limit, "users")).filter(({ value }) => value !== "")
    expect(seen).toEqual(users.map((value) => ({ value, counted: 5, rows: 5, agrees: true })))
  })
})

describe("a budget per session", () => {
  test("holds for each session by itself, also while its requests run at the same time", async () => {
    const tokens = { input: 10, output: 1000 }
    const amount = fromUnits(10 * costOf(tokens), "cost")
    const given = { measure: "cost", amount, per: "Session-Id", estimate: "maximum" } as const
    const limit = await gateways.limit("sessions", given)
    const toAsked = (session: string): Asked => ({
      headers: { "X-Majordomo-Team": "sessions", "X-Majordomo-Session-Id": session },
      body: { max_tokens: 1000 },
      script: { tokens, delayMs: 30 },
    })
    const counts = await Promise.all([
      sendAtOnce(20, toAsked("a")),
      sendAtOnce(20, toAsked("b")),
      sendAtOnce(1, toAsked("c")),
    ])
    await vi.waitFor(async () => {
      const { status, text } = await gateways.ask(0, toAsked("a"))
      if (status === 200) counts[0]++
      expect(text).toContain("It does not reset") // it is used up, and nothing is reserved
    }, WAIT)
    expect(await sendAtOnce(1, toAsked("c"))).toBe(1)
    await gateways.settled()
    for (const count of counts) expect(count).toBeLessThanOrEqual(10)
    expect(counts[0]).toBeGreaterThanOrEqual(5)
    const seen = await readValues(limit, "sessions")
    expect(seen).toContainEqual({ value: "a", counted: counts[0], rows: counts[0], agrees: true })
    expect(seen).toContainEqual({ value: "c", counted: 2, rows: 2, agrees: true })
  })
})

describe("a limit that rejects", () => {
  const rejected = (team: string, asked: Asked = {}) =>
    vi.waitFor(async () => {
      for (const gateway of gateways.servers.keys()) {
        const { status } = await gateways.ask(gateway, { headers: { "X-Majordomo-Team": team }, ...asked })
        expect(status).toBe(429)
      }
    }, WAIT)
  const answered = (team: string, asked: Asked = {}) =>
    vi.waitFor(async () => {
      for (const gateway of gateways.servers.keys()) {
        const { status } = await gateways.ask(gateway, { headers: { "X-Majordomo-Team": team }, ...asked })
        expect(status).toBe(200)
      }
    }, WAIT)

  test("because of a wrong price admits again when the requests are priced again, without a row deleted by hand", async () => {
    const { caller, sql } = gateways
    const model = "gpt-4o-mini"
    await callLocally(priceOverrides.set, caller, { model, rates: { input: "150", output: "600000" } })
    const limit = await gateways.limit("typo", { measure: "cost", amount: "1" })
    const asked = { script: { tokens: { input: 10, output: 1000 } } }
    await rejected("typo", asked)
    await callLocally(priceOverrides.set, caller, { model, rates: { input: "0.15", output: "0.6" } })
    await callLocally(prices.reprice, caller, { since: "1h" })
    await answered("typo", asked)
    await gateways.settled()
    const { rows } = await sql.query(
      `SELECT cost < 0.1 AS small, cost = (SELECT sum(total_cost) FROM llm_requests
         WHERE raw_metadata ->> 'Team' = 'typo' AND outcome <> 'rejected') AS agrees
       FROM llm_limit_usage WHERE limit_id = $1`,
      [limit.id],
    )
    expect(rows).toEqual([{ small: true, agrees: true }])
  })

  test("admits again on every gateway when its amount is raised, and rejects again when it is lowered", async () => {
    const limit = await gateways.limit("raised", { amount: "1" })
    await rejected("raised")
    await updateLimit(gateways.database.query, limit.id, { amount: "1000" })
    await answered("raised")
    await updateLimit(gateways.database.query, limit.id, { amount: "2" })
    await rejected("raised")
  })
})
