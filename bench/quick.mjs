// npm run bench -- quick [--only TEXT] [--rounds 7] [--seconds 0.8] [--rate N] [--base DIR]
// Compares the CPU per request, or per stream, of the bare pass-through, nginx and the gateway in short rounds that alternate.
// It prints the minimum and the median of each, because other work on the machine only adds. `--base` names the directory of
// another build, which is measured beside this one. `--rate` offers so many requests per second to all; without it, each has
// its own maximum.
import "./_typescript.mjs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { measureRound, median } from "./_measure.mjs"
import { startNginx } from "./_nginx.mjs"
import { startLoad, startScript } from "./_processes.mjs"
import { scenarios } from "./_scenarios.mjs"
import { createScope, startBothEnds } from "./_world.mjs"

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "0.8" },
    rate: { type: "string" },
    base: { type: "string" },
  },
})
/** The compiler works during the first seconds, which do not count. */
const WARM_UP_MS = 4000
const rounds = Number(values.rounds)
const durationMs = Number(values.seconds) * 1000
const scope = createScope("quick")
const { directory, own } = scope

try {
  const { origin, load } = await startBothEnds(scope)
  const bare = { name: "bare", headers: {}, ...(await own(startScript("./pass-through.mjs", { args: [origin] }))) }
  const database = await own(findDatabase())
  const where = { origin, databaseUrl: database.url, directory }
  const gateways = [await own(startWholeGateway(where))]
  if (values.base) {
    const program = join(resolve(values.base), "bin/majordomo.mjs")
    gateways.unshift(await own(startWholeGateway({ ...where, name: "base", program })))
  }
  const nginx = await startNginx(origin, directory)
  if (nginx) await own(nginx)
  const proxies = [bare, ...(nginx ? [nginx] : []), ...gateways]
  for (const scenario of scenarios.filter(({ name }) => name.includes(values.only))) {
    await compare(scenario, proxies, load)
  }
} finally {
  await scope.close()
}

/**
 * @param {import("./_scenarios.mjs").Scenario} scenario
 * @param {readonly import("./_measure.mjs").Proxy[]} proxies
 * @param {ReturnType<typeof startLoad>} load
 */
async function compare(scenario, proxies, load) {
  const perSecond = values.rate === undefined ? undefined : Number(values.rate)
  // The whole stream counts, because a proxy may join pieces.
  const whole = { ...scenario, pieces: 1 }
  for (const proxy of proxies) await measureRound(whole, proxy, { load, durationMs: WARM_UP_MS })
  /** @type {Map<string, { us: number[], perSecond: number[] }>} */
  const found = new Map(proxies.map(({ name }) => [name, { us: [], perSecond: [] }]))
  for (let round = 0; round < rounds; round++) {
    for (const proxy of round % 2 === 0 ? proxies : proxies.toReversed()) {
      const one = await measureRound(whole, proxy, { load, durationMs, perSecond })
      found.get(proxy.name)?.us.push(one.cpuUs)
      found.get(proxy.name)?.perSecond.push(one.perSecond)
    }
  }
  const least = Math.min(...(found.get("bare")?.us ?? []))
  const middle = median(found.get("bare")?.us ?? [])
  process.stdout.write(`${scenario.name}\n`)
  for (const [name, { us, perSecond }] of found) {
    const [low, mid] = [Math.min(...us), median(us)]
    const ratios = `${(low / least).toFixed(2)} x   median ${mid.toFixed(1)} us, ${(mid / middle).toFixed(2)} x`
    process.stdout.write(
      `  ${name.padEnd(14)} ${low.toFixed(1).padStart(8)} us ${ratios}   ${median(perSecond).toFixed(0)}/s\n`,
    )
  }
}
