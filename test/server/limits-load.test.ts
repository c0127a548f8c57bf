import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import type { Limit } from "../../src/core/limit.ts"
import { fromUnits, toUnits } from "../../src/core/limit-units.ts"
import { createRandom } from "../support/random-usage.ts"
import { costOf, type Gateways, startGateways, WAIT } from "./_gateways.ts"

let gateways: Gateways
beforeAll(async () => {
  gateways = await startGateways()
})
afterAll(() => gateways.close())

const CLIENTS = 120
const REQUESTS = 400

interface Load {
  readonly team: string
  /** What the request can produce at most, as it says. */
  readonly maxTokens: number
  tokens(random: () => number): { readonly input: number; readonly output: number }
}

/** Sends 400 requests by 120 clients to three gateways, and returns the statuses that the clients got. */
async function sendLoad({ team, maxTokens, tokens }: Load): Promise<readonly number[]> {
  const random = createRandom(7)
  const statuses: number[] = []
  let sent = 0
  async function work(): Promise<void> {
    while (sent < REQUESTS) {
      const gateway = sent++ % 3
      const script = { tokens: tokens(random), delayMs: Math.floor(random() * 150) }
      const asked = { headers: { "X-Majordomo-Team": team }, body: { max_tokens: maxTokens, user: team }, script }
      statuses.push((await gateways.askLikeSdk(gateway, asked)).status)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, work))
  return statuses
}

/** What all requests that were forwarded cost in the end, in nano-USD, whether they have a row already or not. */
function forwardedCost(team: string): number {
  const ours = gateways.provider.exchanges.filter(({ json }) => (json as { user?: string }).user === team)
  return ours.reduce((sum, { tokens }) => sum + costOf(tokens), 0)
}

async function usedOf({ id }: Limit): Promise<number> {
  const { rows } = await gateways.sql.query(
    "SELECT coalesce(sum(cost), 0)::text AS used FROM llm_limit_usage WHERE limit_id = $1",
    [id],
  )
  return toUnits(rows[0].used, "cost", "up")
}

/** Watches what is committed until `work` is done, and returns the most that was seen. */
async function watchUsed(limit: Limit, work: Promise<unknown>): Promise<number> {
  let most = 0
  let isDone = false
  void work.then(() => {
    isDone = true
  })
  while (!isDone) {
    most = Math.max(most, await usedOf(limit))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return most
}

async function expectNothingReserved({ id }: Limit): Promise<void> {
  await vi.waitFor(async () => {
    const { rows } = await gateways.sql.query("SELECT * FROM llm_limit_leases WHERE limit_id = $1", [id])
    expect(rows).toEqual([])
  }, WAIT)
}

describe("400 requests by 120 clients over three gateways, with a budget for 100 of them", () => {
  test("use at least 80 % of a budget with `maximum`, and never more than it", async () => {
    const amount = 100 * costOf({ input: 900, output: 800 })
    const limit = await gateways.limit("most", {
      measure: "cost",
      amount: fromUnits(amount, "cost"),
      estimate: "maximum",
    })
    const load = sendLoad({
      team: "most",
      maxTokens: 1000,
      tokens: (random) => ({ input: 800 + Math.floor(random() * 200), output: 600 + Math.floor(random() * 401) }),
    })
    const most = await watchUsed(limit, load)
    await gateways.settled()
    expect(new Set(await load)).toEqual(new Set([200, 429]))
    // What was forwarded covers rows in the database, rows in journals, and what was running at any moment.
    expect(forwardedCost("most")).toBeLessThanOrEqual(amount)
    expect(await usedOf(limit)).toBe(forwardedCost("most"))
    expect(most).toBeLessThanOrEqual(amount)
    expect(await usedOf(limit)).toBeGreaterThanOrEqual(0.8 * amount)
    await expectNothingReserved(limit)
  })

  test("exceed a budget with `expected` by at most what the running ones produced beyond their expectation", async () => {
    const usual = { input: 1, output: 200 }
    const tokens = (random: () => number) => (random() < 0.98 ? usual : { input: 1, output: 2000 })
    // Each gateway learns what answers usually have.
    for (let i = 0; i < 60; i++) await gateways.ask(i % 3, { script: { tokens: usual } })
    const amount = 100 * costOf(usual)
    const limit = await gateways.limit("usual", { measure: "cost", amount: fromUnits(amount, "cost") })
    // With `maximum`, not one of them would be admitted.
    expect(costOf({ input: 0, output: 64_000 })).toBeGreaterThan(amount)
    const statuses = await sendLoad({ team: "usual", maxTokens: 64_000, tokens })
    await gateways.settled()
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    const used = await usedOf(limit)
    expect(used).toBe(forwardedCost("usual"))
    expect(used).toBeGreaterThanOrEqual(0.8 * amount)
    // No expectation was below the usual output. The requests that ran when the last one was admitted may exceed theirs.
    const { rows } = await gateways.sql.query(
      `WITH ours AS (SELECT *, coalesce(output_tokens, 0) AS output FROM llm_requests
         WHERE raw_metadata ->> 'Team' = 'usual' AND outcome = 'complete'),
       last AS (SELECT max(requested_at) AS at FROM ours)
       SELECT sum(greatest(total_cost - $1::numeric, 0))::text AS beyond, count(*)::int AS running FROM ours, last
       WHERE requested_at <= at AND responded_at >= at`,
      [fromUnits(costOf({ input: 0, output: usual.output }), "cost")],
    )
    expect(rows[0].running).toBeGreaterThan(0)
    expect(used).toBeLessThanOrEqual(amount + toUnits(rows[0].beyond, "cost", "up"))
    await expectNothingReserved(limit)
  })
})
