import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import type { Limit } from "../../src/core/limit.ts"
import { fromUnits } from "../../src/core/limit-units.ts"
import { costOf, type Gateways, startGateways, WAIT } from "./_gateways.ts"

/** The clock of the gateways, in the middle of a minute. The tests move it. */
let now = Math.floor(Date.now() / 60_000) * 60_000 + 30_000
let gateways: Gateways
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now })
  gateways = await startGateways()
})
afterAll(async () => {
  await gateways.close()
  vi.useRealTimers()
})

function nextMinute(): void {
  now += 60_000
  vi.setSystemTime(now)
}

/** The most that a request can produce. */
const MOST = { max_tokens: 1000 }

/** Sends so many requests at once, and returns how many were answered. */
async function sendAtOnce(team: string, count: number, tokens = {}): Promise<number> {
  const script = { delayMs: 50, tokens }
  const asks = Array.from({ length: count }, (_, i) =>
    gateways.ask(i % 3, { headers: { "X-Majordomo-Team": team }, script, body: MOST }),
  )
  return (await Promise.all(asks)).filter(({ status }) => status === 200).length
}

/** Sends requests until so many were answered: what others have in their leases can be free a moment later. */
async function sendUntilAnswered(team: string, count: number): Promise<void> {
  let answered = 0
  await vi.waitFor(async () => {
    answered += await sendAtOnce(team, 3 * (count - answered))
    if (answered < count) throw new Error(`${answered} of ${count} are answered`)
  }, WAIT)
  expect(answered).toBe(count)
}

async function readUsage({ id }: Limit): Promise<readonly { readonly requests: number; readonly cost: string }[]> {
  const { rows } = await gateways.sql.query(
    `SELECT requests::int, trim_scale(cost)::text AS cost FROM llm_limit_usage
     WHERE limit_id = $1 ORDER BY window_start`,
    [id],
  )
  return rows
}

describe("requests per minute over three gateways", () => {
  test("are exact: of 300 requests at once, 100 are answered, and 100 in the next minute", async () => {
    const limit = await gateways.limit("rate", { amount: "100", window: "minute" })
    await sendUntilAnswered("rate", 100)
    expect(await sendAtOnce("rate", 30)).toBe(0)
    await gateways.settled()
    expect(await readUsage(limit)).toMatchObject([{ requests: 100 }])
    nextMinute()
    await sendUntilAnswered("rate", 100)
    expect(await sendAtOnce("rate", 30)).toBe(0)
    await gateways.settled()
    expect(await readUsage(limit)).toMatchObject([{ requests: 100 }, { requests: 100 }])
  })
})

describe("a window that ends", () => {
  test("neither carries spend into the next one nor forgets any: each has the cost of its own rows", async () => {
    const tokens = { input: 10, output: 1000 }
    const each = costOf(tokens)
    const amount = fromUnits(10 * each, "cost")
    const limit = await gateways.limit("reset", { measure: "cost", amount, window: "minute", estimate: "maximum" })
    const spent: { readonly requests: number; readonly cost: string }[] = []
    for (const _ of [1, 2, 3]) {
      let requests = 0
      await vi.waitFor(async () => {
        requests += await sendAtOnce("reset", 9, tokens)
        const asked = { headers: { "X-Majordomo-Team": "reset" }, body: MOST, script: { tokens } }
        const { status, text } = await gateways.ask(0, asked)
        if (status === 200) requests++
        expect(text).toContain("It resets at") // it is used up, and nothing is reserved
      }, WAIT)
      await gateways.settled()
      spent.push({ requests, cost: fromUnits(requests * each, "cost") })
      expect(await readUsage(limit)).toEqual(spent)
      expect(requests).toBeGreaterThanOrEqual(5)
      expect(requests).toBeLessThanOrEqual(10)
      nextMinute()
    }
  })

  test("does not free what a running request has reserved: it counts in the next window while it runs", async () => {
    await gateways.limit("over", { amount: "1", window: "minute" })
    gateways.provider.reset()
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    gateways.provider.next({ beforePiece: () => ended })
    const running = gateways.ask(0, { headers: { "X-Majordomo-Team": "over" }, body: { stream: true } })
    await gateways.provider.nextRequest()
    nextMinute()
    const { status, text } = await gateways.ask(1, { headers: { "X-Majordomo-Team": "over" } })
    expect([status, text]).toEqual([429, expect.stringContaining("0 used and 1 reserved by running requests")])
    end()
    expect((await running).status).toBe(200)
    await gateways.settled()
    nextMinute()
    await sendUntilAnswered("over", 1)
  })
})
