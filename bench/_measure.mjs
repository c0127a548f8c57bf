import { setTimeout as sleep } from "node:timers/promises"
import { cpuMs } from "./_processes.mjs"

/**
 * @typedef {object} Proxy
 * @property {string} name
 * @property {number} pid
 * @property {number} port
 * @property {Record<string, string>} headers additional to the scenario's
 */

/** How long the CPU of work after the last response (writing rows) still counts. */
const TAIL_MS = 700

/** The part of the gateway's maximum rate at which its CPU time is compared with that of another proxy. */
export const EQUAL_RATE = 0.9

/**
 * Measures one round of one scenario through one proxy.
 *
 * @param {import("./_scenarios.mjs").Scenario} scenario
 * @param {Proxy} proxy
 * @param {{ load: ReturnType<typeof import("./_processes.mjs").startLoad>, durationMs: number, perSecond?: number }} how
 */
export async function measureRound(scenario, proxy, { load, durationMs, perSecond = scenario.perSecond }) {
  const before = cpuMs(proxy.pid)
  const counts = await load.run({
    port: proxy.port,
    path: scenario.path ?? "/v1/chat/completions",
    headers: {
      "content-type": "application/json",
      authorization: "Bearer sk-bench",
      ...scenario.headers,
      ...proxy.headers,
    },
    body: JSON.stringify(scenario.body),
    connections: scenario.connections,
    durationMs,
    perSecond,
  })
  await sleep(TAIL_MS)
  const usedMs = cpuMs(proxy.pid) - before
  if (counts.failed > 0) {
    throw new Error(`${proxy.name}: ${counts.failed} requests failed, statuses ${JSON.stringify(counts.statuses)}`)
  }
  const units = counts.requests * (scenario.pieces ?? 1)
  return {
    cpuUs: (usedMs * 1000) / units,
    perSecond: (counts.requests * 1000) / counts.elapsedMs,
    requests: counts.requests,
    p50Ms: counts.p50Ms,
    p99Ms: counts.p99Ms,
  }
}

/**
 * Measures rounds through all proxies alternately, each time in the opposite order, so that other work on the machine
 * affects all of them.
 *
 * @param {import("./_scenarios.mjs").Scenario} scenario
 * @param {readonly Proxy[]} proxies
 * @param {{ load: ReturnType<typeof import("./_processes.mjs").startLoad>, durationMs: number, rounds: number, perSecond?: number }} how
 */
export async function measure(scenario, proxies, how) {
  for (const proxy of proxies) await measureRound(scenario, proxy, { ...how, durationMs: how.durationMs / 2 })
  /** @type {Record<string, Awaited<ReturnType<typeof measureRound>>[]>} */
  const rounds = Object.fromEntries(proxies.map(({ name }) => [name, []]))
  for (let round = 0; round < how.rounds; round++) {
    for (const proxy of round % 2 === 0 ? proxies : proxies.toReversed()) {
      rounds[proxy.name]?.push(await measureRound(scenario, proxy, how))
    }
  }
  return Object.fromEntries(Object.entries(rounds).map(([name, all]) => [name, summary(all)]))
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** @param {readonly Awaited<ReturnType<typeof measureRound>>[]} rounds */
function summary(rounds) {
  const of = (/** @type {"cpuUs" | "perSecond" | "p50Ms" | "p99Ms"} */ field) =>
    median(rounds.map((round) => round[field]))
  return { cpuUs: of("cpuUs"), perSecond: of("perSecond"), p50Ms: of("p50Ms"), p99Ms: of("p99Ms"), rounds }
}
