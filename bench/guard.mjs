// npm run bench -- guard
// CPU per request of the gateway, everything on, by that of the bare pass-through in the same run and at the same rate:
// at most 2. Short rounds in turn, the least of each counts, for noise only adds; up to three tries before it says no.
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
const TRIES = 3
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
  const farSide = await own(startScript("./far-side.mjs", { args: [JSON.stringify(wholeAnswer)], typescript: true }))
  const origin = `http://127.0.0.1:${farSide.port}`
  const load = await own(Promise.resolve(startLoad()))
  const bare = { name: "bare", headers: {}, ...(await own(startScript("./pass-through.mjs", { args: [origin] }))) }
  const database = await own(findDatabase())
  const gateway = await own(startWholeGateway({ origin, databaseUrl: database.url, directory }))
  await warmUp(bare, load)
  const perSecond = (await warmUp(gateway, load)) * EQUAL_RATE
  process.exitCode = 1
  for (let attempt = 1; attempt <= TRIES && process.exitCode !== 0; attempt++) {
    const least = { bare: Number.POSITIVE_INFINITY, gateway: Number.POSITIVE_INFINITY }
    for (let round = 0; round < ROUNDS; round++) {
      for (const proxy of round % 2 === 0 ? [bare, gateway] : [gateway, bare]) {
        const { cpuUs } = await measureRound(scenario(), proxy, { load, durationMs: ROUND_MS, perSecond })
        const name = proxy === bare ? "bare" : "gateway"
        least[name] = Math.min(least[name], cpuUs)
      }
    }
    const ratio = least.gateway / least.bare
    const said = `${least.gateway.toFixed(0)} us against ${least.bare.toFixed(0)} us: ${ratio.toFixed(2)} x`
    process.stdout.write(`CPU per request at ${perSecond.toFixed(0)}/s, try ${attempt}: ${said}, at most ${LIMIT} x\n`)
    if (ratio <= LIMIT) process.exitCode = 0
  }
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
