import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { firstKey, lastNumbers, metric, readRows, toAccount, untilDrained } from "./_books.ts"
import { startLoad, tagsSeen } from "./_load.ts"
import { report, times } from "./_mode.ts"
import { type PatroniCluster, startPatroni, whyNoPatroni } from "./_patroni.ts"

const why = whyNoPatroni()
const ROUNDS = times(2, 6)

let provider: FakeProvider
let cluster: PatroniCluster
beforeAll(async () => {
  if (why !== undefined) return
  provider = await startFakeProvider()
  cluster = await startPatroni()
}, 180_000)
afterAll(async () => {
  cluster?.remove()
  await provider?.close()
})

it.skipIf(why !== undefined)(
  `the primary of a Patroni cluster with synchronous_mode is killed under load, ${ROUNDS} times: no request fails, and every row is in the new primary once${why === undefined ? "" : ` (${why})`}`,
  async () => {
    const home = createInstallation({
      MAJORDOMO_STORAGE_POSTGRES_URL: cluster.url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
    onTestFinished(() => home.remove())
    const gateway = await home.serve({ args: ["--quiet"] })
    const load = startLoad({ key: firstKey(gateway), clients: 8, prefix: "patroni", perSecond: 60 })
    load.aim(gateway.port)
    const figures: Record<string, number> = {}
    for (let round = 1; round <= ROUNDS; round++) {
      const sentBefore = load.requests
      await expect.poll(() => load.requests, PATIENCE).toBeGreaterThan(sentBefore + 100)
      await expect.poll(() => cluster.countSynchronous(), PATIENCE).toBe(1)
      const old = await cluster.findPrimary()
      const killedAt = performance.now()
      cluster.kill(old)
      // The gateway answers while there is no primary, and the rows wait in its journal.
      await expect.poll(() => metric(gateway, "majordomo_rows_waiting"), PATIENCE).toBeGreaterThan(20)
      const next = await cluster.findPrimary()
      expect(next).not.toBe(old)
      figures[`round ${round}: new primary after ms`] = Math.round(performance.now() - killedAt)
      await untilDrained(gateway)
      figures[`round ${round}: drained after ms`] = Math.round(performance.now() - killedAt)
      cluster.restart(old)
    }
    const sent = await load.stop()
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    const account = toAccount(await readRows(await cluster.findPrimary()), [...sent.answered, ...tagsSeen(provider)])
    const { rows, lost, duplicates } = account
    const counts = {
      requests: sent.requests,
      failed: sent.failed.length,
      rows,
      lost: lost.length,
      twice: duplicates.length,
    }
    report("patroni", { ...counts, ...figures, "p99 ms": sent.p99Ms.toFixed(1), "worst ms": sent.worstMs.toFixed(0) })
    expect(sent.failed).toEqual([])
    expect(lost).toEqual([])
    expect(duplicates).toEqual([])
    expect(rows).toBe(sent.requests)
    expect(lastNumbers(stderr)).toMatchObject({ written: sent.requests, waiting: 0, rejected: 0, dropped: 0 })
  },
  600_000,
)

const PATIENCE = { timeout: 120_000, interval: 100 }
