// npm run bench -- workers [--rounds 5] [--seconds 3] [--share 0.3 | --rate N]
// Compares the CPU per request of a gateway with two workers with that of one process. A process that gets fewer requests
// sleeps more often and pays for being woken, so the same rate is compared twice: with as many requests per process, which is
// the cost of the workers themselves, and with as many in all. The rate is a share of the maximum of one process, so that
// two workers, the provider, the load and the database have room on two cores.
import "./_typescript.mjs"
import { parseArgs } from "node:util"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { measureRound } from "./_measure.mjs"
import { scenarios } from "./_scenarios.mjs"
import { createScope, startBothEnds } from "./_world.mjs"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    share: { type: "string", default: "0.3" },
    rate: { type: "string", default: "" },
  },
})
const durationMs = Number(values.seconds) * 1000
const scope = createScope("workers")
const { directory, own } = scope

try {
  const { origin, load } = await startBothEnds(scope)
  const database = await own(findDatabase())
  const where = { origin, databaseUrl: database.url, directory }
  const one = await own(startWholeGateway({ ...where, name: "one process" }))
  const more = { MAJORDOMO_SERVER_WORKERS: "2" }
  const two = await own(startWholeGateway({ ...where, name: "two workers", more }))
  const scenario = /** @type {import("./_scenarios.mjs").Scenario} */ (scenarios[0])
  const twice = { ...scenario, connections: scenario.connections * 2 }
  const how = { load, durationMs }
  // The compiler has to be done in each of them.
  for (const [kind, gateway] of /** @type {const} */ ([
    [scenario, one],
    [twice, two],
    [twice, two],
  ])) {
    await measureRound(kind, gateway, { ...how, durationMs: durationMs * 2 })
  }
  const most = (await measureRound(scenario, one, how)).perSecond
  const rate = values.rate === "" ? most * Number(values.share) : Number(values.rate)
  const cases = [
    { name: `one process, ${rate.toFixed(0)}/s`, kind: scenario, gateway: one, perSecond: rate },
    {
      name: `two workers, ${(rate * 2).toFixed(0)}/s: as many per process`,
      kind: twice,
      gateway: two,
      perSecond: rate * 2,
    },
    { name: `two workers, ${rate.toFixed(0)}/s: as many in all`, kind: twice, gateway: two, perSecond: rate },
    { name: `one process, ${(rate / 2).toFixed(0)}/s`, kind: scenario, gateway: one, perSecond: rate / 2 },
  ]
  /** @type {number[][]} */
  const found = cases.map(() => [])
  for (let round = 0; round < Number(values.rounds); round++) {
    const order = [...cases.keys()]
    for (const at of round % 2 === 0 ? order : order.toReversed()) {
      const { kind, gateway, perSecond } = /** @type {(typeof cases)[number]} */ (cases[at])
      found[at]?.push((await measureRound(kind, gateway, { ...how, perSecond })).cpuUs)
    }
  }
  // Noise only adds, so the minimum of the rounds counts.
  const lowest = found.map((rounds) => Math.min(...rounds))
  const base = lowest[0] ?? 0
  for (const [at, { name }] of cases.entries()) {
    const cpuUs = lowest[at] ?? 0
    process.stdout.write(`${name}: ${cpuUs.toFixed(1)} us of CPU per request, ${(cpuUs / base).toFixed(2)} times\n`)
  }
} finally {
  await scope.close()
}
