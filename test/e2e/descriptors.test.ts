import { afterAll, beforeAll, expect, it } from "vitest"
import { firstKey, lastNumbers, metric } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Settings } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const LIMIT_MS = 300_000
/** Each request takes two: the client's connection and the provider's. */
const DESCRIPTORS_PER_REQUEST = 2

let fakeProvider: FakeProvider
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
})
afterAll(() => fakeProvider.close())

interface Case {
  readonly name: string
  /** `ulimit -n`: more than the gateway has open without requests. The embedded database opens a file for each table. */
  readonly limit: number
  /** The engine of the embedded database does not open its files again. Its rows wait in the journal for a restart. */
  readonly needsRestart: boolean
  settings(): Promise<Settings>
}

const CASES: readonly Case[] = [
  {
    name: "PostgreSQL",
    limit: 90,
    needsRestart: false,
    settings: async () => ({ DATABASE_URL: (await createTestDatabase()).url }),
  },
  { name: "the embedded database", limit: 400, needsRestart: true, settings: async () => ({}) },
]

it.each(CASES)(
  "[L11] a gateway without free descriptors names its own limit, loses no row, and serves again afterwards, on $name",
  async ({ settings, limit, needsRestart }) => {
    const home = createInstallation(
      {
        MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
        MAJORDOMO_PRICING_REMOTE_URL: "",
        ...(await settings()),
      },
      { under: ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh"] },
    )
    try {
      fakeProvider.reset()
      // What the engine cannot write at the stop waits in the journal.
      let gateway = await home.serve({ settings: needsRestart ? { MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "1s" } : {} })
      const key = firstKey(gateway)
      const ask = (tag: string, delayMs: number) =>
        askOnce({ key, port: gateway.port, tag, stream: false, script: { delayMs } })
      const clients = Math.ceil((limit / DESCRIPTORS_PER_REQUEST) * 1.3)
      const tags = Array.from({ length: clients }, (_, i) => `descriptors-${i}`)
      const results = await Promise.all(tags.map(async (tag) => ({ tag, why: await ask(tag, 1500) })))
      const rejected = results.filter(({ why }) => why?.includes("ulimit -n"))
      expect(rejected.length).toBeGreaterThan(0)
      for (const { why } of rejected) expect(why).toMatch(/^503 .*The gateway has reached its limit of open files/)
      // The system closes a connection that the process cannot accept. Nothing else may happen to a request.
      const others = results.filter(({ why }) => why !== undefined && !why.includes("ulimit -n"))
      expect(others.filter(({ why }) => !/ECONNRESET|socket hang up/.test(why!))).toEqual([])

      await expect.poll(() => ask("afterwards", 0)).toBe(undefined)
      if (needsRestart) {
        await gateway.stop()
        gateway = await home.serve()
      }
      await expect.poll(() => metric(gateway, "majordomo_rows_waiting")).toBe(0)
      const rows = (await home.runJson(["usage", "requests", "--limit", "1000"])) as { raw_metadata: { Tag: string } }[]
      // It may have been asked several times.
      const withRow = rows.map(({ raw_metadata }) => raw_metadata.Tag).filter((tag) => tag !== "afterwards")
      const answered = results.filter(({ why }) => why === undefined || why.startsWith("503"))
      expect(withRow.sort()).toEqual(expect.arrayContaining(answered.map(({ tag }) => tag)))
      expect(new Set(withRow).size).toBe(withRow.length)
      const { code, stderr } = await gateway.stop()
      expect(code).toBe(0)
      const numbers = lastNumbers(stderr)
      expect(numbers).toMatchObject({ written: numbers.accepted, waiting: 0, rejected: 0, dropped: 0 })
      expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, lost: 0, waiting: 0 })
    } finally {
      await home.remove()
    }
  },
  LIMIT_MS,
)

it("the embedded database creates its schema with few descriptors: it closes a file for each that it opens", async () => {
  const few = createInstallation({}, { under: ["sh", "-c", 'ulimit -n 90; exec "$@"', "sh"] })
  try {
    expect(await few.run(["migrate"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("The schema was created"),
    })
  } finally {
    await few.remove()
  }
})
