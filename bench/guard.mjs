// npm run bench -- guard
// Fails if a request costs the gateway, with everything on, more than twice the CPU of the bare pass-through, in the same run
// and at the same rate. Short rounds alternate, and the minimum of each counts, because noise only adds. There are up to five
// tries. A try counts only if two pass-throughs agree; on a machine where they do not, there is no verdict.
import "./_typescript.mjs"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { EQUAL_RATE, measureRound } from "./_measure.mjs"
import { startLoad, startScript } from "./_processes.mjs"
import { scenarios } from "./_scenarios.mjs"
import { createScope, startBothEnds } from "./_world.mjs"

/** The goal of `npm run bench` is 1.5. This limit only finds regressions. */
const LIMIT = 2
const TRIES = 5
const MIN_VERDICTS = 2
/** The maximum ratio between the two pass-throughs. */
const STEADY = 1.15
const ROUNDS = 5
/** Requests through each proxy before the measurement, because the CPU of the compiler does not count. */
const WARM_UP_REQUESTS = 10_000
const WARM_UP_MS = 20_000
const ROUND_MS = 800

const scope = createScope("guard")
const { directory, own } = scope

try {
  const { origin, load } = await startBothEnds(scope)
  const startBare = async (/** @type {string} */ name) => {
    return { name, headers: {}, ...(await own(startScript("./pass-through.mjs", { args: [origin] }))) }
  }
  const bare = await startBare("bare")
  const twin = await startBare("twin")
  const database = await own(findDatabase())
  const gateway = await own(startWholeGateway({ origin, databaseUrl: database.url, directory }))
  await warmUp(bare, load)
  await warmUp(twin, load)
  const perSecond = (await warmUp(gateway, load)) * EQUAL_RATE
  let verdicts = 0
  let passed = false
  for (let attempt = 1; attempt <= TRIES && !passed; attempt++) {
    const least = { bare: Number.POSITIVE_INFINITY, twin: Number.POSITIVE_INFINITY, gateway: Number.POSITIVE_INFINITY }
    const turn = [bare, gateway, twin]
    for (let round = 0; round < ROUNDS; round++) {
      for (const proxy of round % 2 === 0 ? turn : turn.toReversed()) {
        const { cpuUs } = await measureRound(scenario(), proxy, { load, durationMs: ROUND_MS, perSecond })
        const name = /** @type {keyof typeof least} */ (proxy.name)
        least[name] = Math.min(least[name], cpuUs)
      }
    }
    const one = Math.min(least.bare, least.twin)
    const other = Math.max(least.bare, least.twin)
    const ratio = least.gateway / one
    passed = ratio <= LIMIT
    const isSteady = other / one <= STEADY
    if (isSteady) verdicts++
    const said = `${least.gateway.toFixed(0)} us against ${one.toFixed(0)} us: ${ratio.toFixed(2)} x, at most ${LIMIT} x`
    const doubt =
      isSteady || passed ? "" : `; does not count, because two pass-throughs differ (${other.toFixed(0)} us)`
    process.stdout.write(`CPU per request at ${perSecond.toFixed(0)}/s, try ${attempt}: ${said}${doubt}\n`)
  }
  if (!passed && verdicts < MIN_VERDICTS)
    process.stdout.write("no verdict: the measurements on this machine vary too much\n")
  process.exitCode = passed || verdicts < MIN_VERDICTS ? 0 : 1
} finally {
  await scope.close()
}

/** Sends requests until the compiler is done, and returns the last rate per second. @param {import("./_measure.mjs").Proxy} proxy @param {ReturnType<typeof startLoad>} load */
async function warmUp(proxy, load) {
  const deadline = performance.now() + WARM_UP_MS
  let perSecond = 0
  for (let requests = 0; requests < WARM_UP_REQUESTS && performance.now() < deadline; ) {
    const round = await measureRound(scenario(), proxy, { load, durationMs: ROUND_MS })
    requests += round.requests
    perSecond = round.perSecond
  }
  return perSecond
}

function scenario() {
  return /** @type {import("./_scenarios.mjs").Scenario} */ (scenarios[0])
}
