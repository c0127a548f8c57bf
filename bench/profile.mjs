// npm run bench -- profile [--only TEXT] [--seconds 8] [--top 40]
// Lists what a request or a stream costs the gateway and the bare pass-through, function by function: microseconds of CPU per request
// by the sampling profiler of V8, which runs only in the measured seconds.
import "./_typescript.mjs"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { measureRound } from "./_measure.mjs"
import { startScript } from "./_processes.mjs"
import { alignColumns } from "./_report.mjs"
import { scenarios } from "./_scenarios.mjs"
import { createScope, startBothEnds } from "./_world.mjs"

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seconds: { type: "string", default: "8" },
    top: { type: "string", default: "40" },
  },
})
const durationMs = Number(values.seconds) * 1000
/** Until the compiler has done its work. */
const WARM_UP_MS = 8000

const scope = createScope("profile")
const { directory, own } = scope
const profiles = join(directory, "profiles")
mkdirSync(profiles)
process.env.PROFILES = profiles
process.env.NODE_OPTIONS = `--import ${new URL("./_profiler.mjs", import.meta.url).href}`

try {
  const { origin, load } = await startBothEnds(scope)
  const database = await own(findDatabase())
  const bare = { name: "bare", headers: {}, ...(await startScript("./pass-through.mjs", { args: [origin] })) }
  await profile(bare, load)
  const gateway = await startWholeGateway({ origin, databaseUrl: database.url, directory })
  await profile(gateway, load)
} finally {
  await scope.close()
}

/**
 * @param {import("./_measure.mjs").Proxy & { stop(): unknown }} proxy
 * @param {ReturnType<typeof import("./_processes.mjs").startLoad>} load
 */
async function profile(proxy, load) {
  const found = scenarios.find(({ name }) => name.includes(values.only))
  if (found === undefined) throw new Error(`no scenario has "${values.only}" in its name`)
  const scenario = { ...found, pieces: 1 }
  await measureRound(scenario, proxy, { load, durationMs: WARM_UP_MS })
  process.kill(proxy.pid, "SIGUSR2")
  const { requests, cpuUs } = await measureRound(scenario, proxy, { load, durationMs })
  process.kill(proxy.pid, "SIGUSR2")
  const file = join(profiles, `${proxy.pid}.json`)
  while (!existsSync(file)) await sleep(100)
  await proxy.stop()
  const sums = addUp(JSON.parse(readFileSync(file, "utf8")))
  process.stdout.write(`\n${proxy.name}: ${cpuUs.toFixed(0)} us of CPU per request, profiler included\n`)
  const lines = [...sums].toSorted(([, a], [, b]) => b - a).slice(0, Number(values.top))
  process.stdout.write(
    `${alignColumns([["us", "function"], ...lines.map(([place, us]) => [(us / requests).toFixed(1), place])])}\n`,
  )
}

/**
 * Adds up the time of the samples by function, in microseconds.
 *
 * @param {{ nodes: { id: number, callFrame: { functionName: string, url: string, lineNumber: number } }[],
 *   samples: number[], timeDeltas: number[] }} profile
 */
function addUp({ nodes, samples, timeDeltas }) {
  const places = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || "(anonymous)"} ${url.split("/").slice(-2).join("/")}:${lineNumber + 1}`,
    ]),
  )
  /** @type {Map<string, number>} */
  const sums = new Map()
  for (const [i, id] of samples.entries()) {
    const place = places.get(id) ?? ""
    if (!place.startsWith("(idle)")) sums.set(place, (sums.get(place) ?? 0) + (timeDeltas[i] ?? 0))
  }
  return sums
}
