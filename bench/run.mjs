// npm run bench -- usage   the reports over five million rows: see usage.mjs
// npm run bench [-- --rounds 7] [--seconds 3] [--only TEXT] [--self]
// Compares the gateway, everything on, with a bare pass-through in one run. `--self` compares the pass-through with
// itself: what the ratios are worth on this machine. DATABASE_URL names a PostgreSQL; without it one is started.
import "./_typescript.mjs"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import pg from "pg"
import { measureInstalled } from "./_installed.mjs"
import { measure } from "./_measure.mjs"
import { requestsThrough, rssBytes, runGateway, startGateway, startLoad, startScript } from "./_processes.mjs"
import { toTable } from "./_report.mjs"
import { scenarios, wholeAnswer } from "./_scenarios.mjs"

if (process.argv[2] === "usage") {
  process.argv.splice(2, 1)
  await import("./usage.mjs")
  process.exit()
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    self: { type: "boolean", default: false },
  },
})
const rounds = Number(values.rounds)
const durationMs = Number(values.seconds) * 1000
const directory = mkdtempSync(join(tmpdir(), "majordomo-bench-"))
const noGoal = { bare: "", gateway: "", ratio: "", goal: "", met: undefined }
/** @type {(() => unknown)[]} what to close, last first */
const opened = [() => rmSync(directory, { recursive: true, force: true })]

try {
  await bench()
} finally {
  for (const close of opened.toReversed()) await close()
}

async function bench() {
  const farSide = await own(startScript("./far-side.mjs", { args: [JSON.stringify(wholeAnswer)], typescript: true }))
  const origin = `http://127.0.0.1:${farSide.port}`
  const load = await own(startLoad())
  const bare = { name: "bare", headers: {}, ...(await own(startScript("./pass-through.mjs", { args: [origin] }))) }
  const gateway = values.self ? await startSecondBare(origin) : await startWholeGateway(origin)
  const how = { load, durationMs, rounds }

  /** @type {import("./_report.mjs").Line[]} */
  const lines = []
  /** @type {Record<string, unknown>} */
  const results = { at: new Date().toISOString(), node: process.version, cpus: cpus().length, rounds, durationMs }
  for (const scenario of scenarios.filter(({ name }) => name.includes(values.only))) {
    process.stderr.write(`${scenario.name}\n`)
    const found = await measure(scenario, [bare, gateway], how)
    const [one, other] = [found["bare"], found[gateway.name]]
    if (one === undefined || other === undefined) throw new Error("a proxy was not measured")
    results[scenario.name] = found
    const ratio = other.cpuUs / one.cpuUs
    lines.push({
      what: `CPU per ${scenario.per}: ${scenario.name}`,
      bare: `${one.cpuUs.toFixed(1)} us`,
      gateway: `${other.cpuUs.toFixed(1)} us`,
      ratio: ratio.toFixed(2),
      goal: `<= ${scenario.goal}`,
      met: ratio <= scenario.goal,
    })
    if (scenario.per === "request") lines.push(...(await latency(scenario, other.perSecond / 2)))
  }
  results["memory"] = { bareBytes: rssBytes(bare.pid), gatewayBytes: rssBytes(gateway.pid) }
  lines.push({
    ...noGoal,
    what: "memory afterwards",
    bare: megabytes(rssBytes(bare.pid)),
    gateway: megabytes(rssBytes(gateway.pid)),
  })
  if (gateway.rows !== undefined) lines.push(rowsLine(await gateway.rows()))
  const installed = measureInstalled(fileURLToPath(new URL("..", import.meta.url)))
  results["installed"] = installed
  lines.push({
    ...noGoal,
    what: `dependencies installed: ${installed.packages} packages`,
    gateway: megabytes(installed.bytes),
  })

  results["lines"] = lines
  writeFileSync(new URL("./results.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`)
  process.stdout.write(`${toTable(lines)}\n`)

  /** @param {import("./_scenarios.mjs").Scenario} scenario @param {number} perSecond */
  async function latency(scenario, perSecond) {
    const found = await measure(scenario, [bare, gateway], { ...how, perSecond })
    results[`${scenario.name}, at half load`] = found
    const [one, other] = [found["bare"], found[gateway.name]]
    if (one === undefined || other === undefined) throw new Error("a proxy was not measured")
    const added = other.p50Ms - one.p50Ms
    const ratio = other.p99Ms / one.p99Ms
    const at = `at ${Math.round(perSecond)} requests/s`
    return [
      {
        what: `latency p50, ${at}`,
        bare: `${one.p50Ms.toFixed(2)} ms`,
        gateway: `${other.p50Ms.toFixed(2)} ms`,
        ratio: `+${added.toFixed(2)} ms`,
        goal: "<= +0.5 ms",
        met: added <= 0.5,
      },
      {
        what: `latency p99, ${at}`,
        bare: `${one.p99Ms.toFixed(2)} ms`,
        gateway: `${other.p99Ms.toFixed(2)} ms`,
        ratio: ratio.toFixed(2),
        goal: "<= 1.3",
        met: ratio <= 1.3,
      },
    ]
  }
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`
}

/** Keeps what was started, to be stopped at the end. @template {{ stop(): unknown }} T @param {T | Promise<T>} starting */
async function own(starting) {
  const started = await starting
  opened.push(() => started.stop())
  return started
}

/** @param {string} origin @returns {Promise<Gateway>} */
async function startSecondBare(origin) {
  const second = await own(startScript("./pass-through.mjs", { args: [origin] }))
  return { name: "bare again", headers: {}, ...second }
}

/**
 * @typedef {import("./_measure.mjs").Proxy & { rows?: () => Promise<{ written: number, requests: number }> }} Gateway
 */

/** Key check, metering, pricing, journal and PostgreSQL on. @param {string} origin @returns {Promise<Gateway>} */
async function startWholeGateway(origin) {
  const url = await databaseUrl()
  const settings = {
    HOME: directory,
    DATABASE_URL: url,
    MAJORDOMO_SERVER_PORT: "0",
    MAJORDOMO_STORAGE_DATA_DIR: join(directory, "data"),
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
  }
  runGateway(["migrate"], settings, directory)
  const { id, key } = JSON.parse(runGateway(["keys", "create", "--name", "bench", "--json"], settings, directory))
  const running = await own(startGateway(settings, directory))
  const rows = async () => {
    const requests = requestsThrough(running.port)
    return { requests, written: await countRows(url, id, requests) }
  }
  return { name: "gateway", headers: { "x-majordomo-key": key }, rows, ...running }
}

async function databaseUrl() {
  if (process.env.DATABASE_URL) return process.env.DATABASE_URL
  const { startPostgres } = await import("../test/support/_postgres-server.ts")
  const server = await startPostgres()
  opened.push(() => server.remove())
  return server.url
}

/** Waits until the rows of the key are as many as expected, at most half a minute. */
async function countRows(/** @type {string} */ url, /** @type {string} */ keyId, /** @type {number} */ expected) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const deadline = Date.now() + 30_000
    for (;;) {
      const text = "SELECT count(*)::int AS rows FROM llm_requests WHERE majordomo_api_key_id = $1"
      const written = (await client.query(text, [keyId])).rows[0].rows
      if (written >= expected || Date.now() > deadline) return written
      await sleep(200)
    }
  } finally {
    await client.end()
  }
}

/** @param {{ written: number, requests: number }} counted @returns {import("./_report.mjs").Line} */
function rowsLine({ written, requests }) {
  const what = "rows written of requests answered"
  return {
    what,
    bare: "",
    gateway: `${written} of ${requests}`,
    ratio: (written / requests).toFixed(4),
    goal: "1",
    met: written === requests,
  }
}
