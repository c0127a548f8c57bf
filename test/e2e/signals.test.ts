import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { firstKey, lastNumbers } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { listChildren } from "../support/processes.ts"

const STREAMS = 24

let fakeProvider: FakeProvider
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
})
afterAll(() => fakeProvider.close())

/** Starts a gateway that leads a process group of its own, as under a service manager or in a terminal. */
async function withGateway(workers: number, work: (gateway: RunningGateway, key: string) => Promise<void>) {
  const home = createInstallation(
    {
      DATABASE_URL: (await createTestDatabase()).url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_SERVER_WORKERS: String(workers),
    },
    { under: ["setsid"] },
  )
  try {
    const gateway = await home.serve({ args: ["--quiet"] })
    await work(gateway, firstKey(gateway))
  } finally {
    await home.remove()
  }
}

/** Opens streams, and resolves when the provider has all of their requests. */
async function openStreams(gateway: RunningGateway, key: string, count: number, pieces: number) {
  const before = fakeProvider.exchanges.length
  const script = { pieces, pieceDelayMs: 20 }
  const streams = Array.from({ length: count }, (_, i) =>
    askOnce({ key, port: gateway.port, tag: `s-${i}`, stream: true, script }),
  )
  await expect.poll(() => fakeProvider.exchanges.length - before, { interval: 5 }).toBe(count)
  return { streams }
}

const toGroup = (signal: NodeJS.Signals) => (pid: number) => void process.kill(-pid, signal)

/** Each sends one wish to stop. */
const PATTERNS: Readonly<Record<string, (pid: number) => void>> = {
  "SIGTERM to the first process": (pid) => void process.kill(pid, "SIGTERM"),
  "SIGTERM to the group": toGroup("SIGTERM"),
  "SIGTERM to every process, workers first": (pid) => {
    for (const each of [...listChildren(pid), pid]) process.kill(each, "SIGTERM")
  },
  "SIGTERM to the first process and then to the group, as by timeout(1)": (pid) => {
    process.kill(pid, "SIGTERM")
    process.kill(-pid, "SIGTERM")
  },
  "SIGINT from a terminal, and once more from npm": (pid) => {
    process.kill(-pid, "SIGINT")
    process.kill(pid, "SIGINT")
  },
  "SIGHUP of a terminal that is closed": toGroup("SIGHUP"),
}

describe.each([1, 2, 4])("[O1] with %i workers", (workers) => {
  it.each(Object.keys(PATTERNS))(
    `all of ${STREAMS} running streams finish and have their rows after %s`,
    async (pattern) => {
      await withGateway(workers, async (gateway, key) => {
        const { streams } = await openStreams(gateway, key, STREAMS, 40)
        PATTERNS[pattern]!(gateway.pid)
        expect((await Promise.all(streams)).filter((why) => why !== undefined)).toEqual([])
        const { code, stderr } = await gateway.ended
        expect(code).toBe(0)
        expect(lastNumbers(stderr)).toEqual({
          accepted: STREAMS,
          written: STREAMS,
          waiting: 0,
          rejected: 0,
          dropped: 0,
        })
      })
    },
  )
})

it.each([1, 2])(
  "[O1] with %i workers, a signal that is repeated after a while ends all processes at once",
  async (workers) => {
    await withGateway(workers, async (gateway, key) => {
      const { streams } = await openStreams(gateway, key, 2, 5000)
      const repeat = setInterval(() => process.kill(-gateway.pid, "SIGTERM"), 200)
      const { code, stderr } = await gateway.ended.finally(() => clearInterval(repeat))
      expect(code).toBe(1)
      expect(stderr).toContain("Stopped at once.")
      expect((await Promise.all(streams)).every((why) => why !== undefined)).toBe(true)
    })
  },
)
