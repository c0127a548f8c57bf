import { measureRound } from "./_measure.mjs"
import { rssBytes } from "./_processes.mjs"
import { scenarios } from "./_scenarios.mjs"

const SHORT = 10_000
const LONG = 1_000_000
const STEP_MS = 10_000

/**
 * Measures the memory after ten thousand requests and after a million. Takes minutes.
 *
 * @param {import("./_measure.mjs").Proxy} proxy
 * @param {ReturnType<typeof import("./_processes.mjs").startLoad>} load
 */
export async function measureMemory(proxy, load) {
  const scenario = /** @type {import("./_scenarios.mjs").Scenario} */ (scenarios[0])
  let requests = 0
  /** @type {number | undefined} */
  let afterShort
  /** @type {number[]} */
  const bytes = []
  while (requests < LONG) {
    requests += (await measureRound(scenario, proxy, { load, durationMs: STEP_MS })).requests
    const now = rssBytes(proxy.pid)
    bytes.push(now)
    if (requests >= SHORT) afterShort ??= now
    process.stderr.write(`${requests} requests, ${(now / 2 ** 20).toFixed(0)} MB\n`)
  }
  return { requests, afterShort: afterShort ?? 0, afterLong: bytes.at(-1) ?? 0, bytes }
}
