import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import { metric } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const LIMIT_MS = 240_000

let fakeProvider: FakeProvider
let home: Installation
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
})
afterEach(() => home.remove())
afterAll(() => fakeProvider.close())

async function readCounts(gateway: RunningGateway) {
  const [accepted, written, waiting, rejected, dropped] = await Promise.all(
    ["accepted_total", "written_total", "waiting", "rejected_total", "dropped_total"].map((name) =>
      metric(gateway, `majordomo_rows_${name}`),
    ),
  )
  return { accepted, written, waiting, rejected, dropped }
}

it.each([
  { first: "1", after: "1", signal: "SIGTERM" },
  { first: "1", after: "1", signal: "SIGKILL" },
  { first: "2", after: "1", signal: "SIGTERM" },
  { first: "1", after: "2", signal: "SIGKILL" },
] as const)(
  "the counters of rows go on from the last process: $signal with $first workers, then $after",
  {
    timeout: LIMIT_MS,
  },
  async ({ first, after, signal }) => {
    home = createInstallation({
      DATABASE_URL: (await createTestDatabase()).url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
    const { key } = (await home.runJson(["keys", "create", "--name", "test"])) as { key: string }
    const ask = async (gateway: RunningGateway, count: number) => {
      const asked = Array.from({ length: count }, (_, i) =>
        askOnce({ key, port: gateway.port, tag: `${i}`, stream: false }),
      )
      expect((await Promise.all(asked)).filter((why) => why !== undefined)).toEqual([])
    }
    const whole = (rows: number) => ({ accepted: rows, written: rows, waiting: 0, rejected: 0, dropped: 0 })
    const gateway = await home.serve({ settings: { MAJORDOMO_SERVER_WORKERS: first } })
    await ask(gateway, 12)
    await expect.poll(() => readCounts(gateway)).toEqual(whole(12))
    await gateway.stop(signal)

    const next = await home.serve({ settings: { MAJORDOMO_SERVER_WORKERS: after } })
    expect((await readCounts(next)).accepted).toBe(12)
    await ask(next, 5)
    await expect.poll(() => readCounts(next)).toEqual(whole(17))
    await next.stop()
  },
)
