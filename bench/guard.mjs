// npm run bench -- guard
// CPU per request of the gateway, everything on, by that of the bare pass-through in the same run and at the same rate:
// at most 2. Short rounds in turn, the least of each counts, for noise only adds. Up to five tries before it says no, and
// a try counts only where two pass-throughs agree with each other: on a machine where they do not, nobody can say.
import "./_typescript.mjs"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { EQUAL_RATE, measureRound } from "./_measure.mjs"
import { startLoad, startScript } from "./_processes.mjs"
import { scenarios, wholeAnswer } from "./_scenarios.mjs"

/** The goal is 1.5 (npm run bench). This only finds what somebody has broken. */
const LIMIT = 2
const TRIES = 5
const MIN_VERDICTS = 2
/** What two of the same may differ by. */
const STEADY = 1.15
const ROUNDS = 5
/** Through each before anything counts: until then the compiler is at work, and it is not cheap. */
const WARM_UP_REQUESTS = 10_000
const WARM_UP_MS = 20_000
const ROUND_MS = 800

const directory = mkdtempSync(join(tmpdir(), "majordomo-guard-"))
/** @type {(() => unknown)[]} */
const opened = [() => rmSync(directory, { recursive: true, force: true })]
/** @template {{ stop(): unknown }} T @param {Promise<T>} starting */
const own = async (starting) => {
  const started = await starting
  opened.push(() => started.stop())
  return started
}

try {
  const fakeProvider = await own(
    startScript("./fake-provider.mjs", { args: [JSON.stringify(wholeAnswer)], typescript: true }),
  )
  const origin = `http://127.0.0.1:${fakeProvider.port}`
  const load = await own(Promise.resolve(startLoad()))
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
    const doubt = isSteady || passed ? "" : `; does not count, for two pass-throughs differ (${other.toFixed(0)} us)`
    process.stdout.write(`CPU per request at ${perSecond.toFixed(0)}/s, try ${attempt}: ${said}${doubt}\n`)
  }
  if (!passed && verdicts < MIN_VERDICTS) process.stdout.write("no verdict: this machine is too unsteady\n")
  process.exitCode = passed || verdicts < MIN_VERDICTS ? 0 : 1
} finally {
  for (const close of opened.toReversed()) await close()
}

/** Gives its requests per second at the end. @param {import("./_measure.mjs").Proxy} proxy @param {ReturnType<typeof startLoad>} load */
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
