import { execFileSync } from "node:child_process"
import { expect, it, onTestFinished } from "vitest"
import { loadBench } from "../support/bench.ts"
import { createInstallation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { firstKey, lastNumbers } from "./_books.ts"
import { isLong, report, times } from "./_mode.ts"

const STREAMS = times(500, 8000)
const MAX_MB = 600
/** The delays are long enough that all streams are open before the first one ends. */
const SCRIPT = { pieces: 6, pieceDelayMs: times(400, 4000) }

/** Returns how many files a process may open. A stream needs two of the gateway's. */
function maxFiles(): number {
  const text =
    process.platform === "win32" ? "unlimited" : execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" })
  return text.startsWith("unlimited") ? Number.POSITIVE_INFINITY : Number(text)
}

it.skipIf(isLong && maxFiles() < 2 * STREAMS + 200)(
  "[LOD-02] 8,000 concurrent streams (500 in a check) all complete with their rows, in 600 MB",
  async () => {
    const { startScript, startLoad, rssBytes } = await loadBench()
    const fakeProvider = await startScript("./fake-provider.mjs", { args: [JSON.stringify(SCRIPT)], typescript: true })
    const load = startLoad()
    const home = createInstallation({
      DATABASE_URL: (await createTestDatabase()).url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: `http://127.0.0.1:${fakeProvider.port}`,
      MAJORDOMO_UPSTREAM_MAX_CONNECTIONS: String(STREAMS),
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
    onTestFinished(async () => {
      await Promise.all([home.remove(), load.stop(), fakeProvider.stop()])
    })
    const gateway = await home.serve({ args: ["--quiet"] })
    let most = 0
    const sampling = setInterval(() => {
      most = Math.max(most, rssBytes(gateway.pid))
    }, 200)
    const counts = await load.run({
      port: gateway.port,
      path: "/v1/chat/completions",
      headers: { "X-Majordomo-Key": firstKey(gateway), "Content-Type": "application/json" },
      body: '{"model":"gpt-4o-mini","stream":true,"messages":[]}',
      connections: STREAMS,
      durationMs: 200_000,
      once: true,
    })
    clearInterval(sampling)
    const { code, stderr } = await gateway.stop()
    report("streams", { streams: STREAMS, failed: counts.failed, "MB at most": Math.round(most / 2 ** 20) })
    expect(code).toBe(0)
    expect(counts).toMatchObject({ requests: STREAMS, failed: 0 })
    expect(lastNumbers(stderr)).toMatchObject({ written: STREAMS, waiting: 0, rejected: 0, dropped: 0 })
    expect(most / 2 ** 20).toBeGreaterThan(0)
    expect(most / 2 ** 20).toBeLessThan(MAX_MB)
  },
  240_000,
)
