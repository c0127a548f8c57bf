// npm run bench [-- --rounds 7] [--seconds 3] [--only TEXT] [--self] [--no-peer] [--long] [--markdown]
// npm run bench -- usage   measures the reports over five million rows: see usage.mjs
// npm run bench -- dashboard   measures the pages over the same rows: see dashboard.mjs
// npm run bench -- guard   runs the check of CI: see guard.mjs
// npm run bench -- quick   compares the bare pass-through, nginx and one or two builds in short rounds: see quick.mjs
// npm run bench -- limits   measures the CPU that limits add to a request: see limits.mjs
// npm run bench -- rows   measures the disk space of a million rows: see rows.mjs
// npm run bench -- websockets   measures the CPU of a message and the memory of an open WebSocket: see websockets.mjs
// npm run bench -- growth   measures how reports and commands slow down as rows are added: see growth.mjs
// npm run bench -- profile   lists what a request costs, function by function: see profile.mjs
// npm run bench -- reconcile   measures the comparison of a month with a bill: see reconcile.mjs
// npm run bench -- ingest   measures how several gateways write into one database: see ingest.mjs
// npm run bench -- rivals DIR   measures other gateways with the same load: see rivals.mjs
// npm run bench -- workers   compares the CPU per request of two workers with that of one process: see workers.mjs
// [LOD-03] [LOD-04] [LOD-08] Compares the gateway, with everything on, with a bare pass-through and with a peer in one run.
// `--self` compares the pass-through with itself, which shows how accurate the ratios are on this machine. `--only` runs the
// scenarios whose name contains the text. `--long` adds a million requests. DATABASE_URL names a PostgreSQL; without it, one
// is started.
import "./_typescript.mjs"
import { writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { measureInstalled } from "./_installed.mjs"
import * as line from "./_lines.mjs"
import { EQUAL_RATE, measure } from "./_measure.mjs"
import { measureMemory } from "./_memory.mjs"
import { startNginx } from "./_nginx.mjs"
import { startPeer } from "./_peer.mjs"
import { startScript } from "./_processes.mjs"
import { toMarkdown, toTable } from "./_report.mjs"
import { scenarios } from "./_scenarios.mjs"
import { measureStarting } from "./_starting.mjs"
import { measureStreams, STREAMS } from "./_streams.mjs"
import { createScope, startBothEnds } from "./_world.mjs"

/** The benchmarks of other files of this directory. */
const OTHERS =
  "dashboard growth guard ingest limits profile quick reconcile rivals rows usage websockets workers".split(" ")

if (OTHERS.includes(process.argv[2] ?? "")) {
  const [name] = process.argv.splice(2, 1)
  await import(`./${name}.mjs`)
  process.exit()
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    self: { type: "boolean", default: false },
    "no-peer": { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
  },
})
const rounds = Number(values.rounds)
const durationMs = Number(values.seconds) * 1000
const scope = createScope("bench")
const { directory, own } = scope
const machine = { node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length, memoryBytes: totalmem() }
/** @type {Record<string, unknown>} */
const results = { at: new Date().toISOString(), ...machine, rounds, durationMs }
/** @type {import("./_report.mjs").Line[]} */
const lines = []

try {
  // If something fails, the measurements so far are printed.
  await bench().catch((error) => {
    process.exitCode = 1
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  })
  results["lines"] = lines
  writeFileSync(new URL("./results.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`)
  process.stdout.write(`${(values.markdown ? toMarkdown : toTable)(lines)}\n`)
} finally {
  await scope.close()
}

async function bench() {
  const { origin, load } = await startBothEnds(scope)
  const startBare = () => own(startScript("./pass-through.mjs", { args: [origin] }))
  const bare = { name: "bare", headers: {}, ...(await startBare()) }
  const how = { load, durationMs, rounds }
  if (values.self) return compare(bare, { name: "bare again", headers: {}, ...(await startBare()) }, how)

  const database = await own(findDatabase())
  const where = { origin, databaseUrl: database.url, directory }
  // 5,000 streams need that many sockets on both sides.
  const more = { MAJORDOMO_UPSTREAM_MAX_CONNECTIONS: String(STREAMS + 100) }
  const gateway = await own(startWholeGateway({ ...where, more }))
  await compare(bare, gateway, how)
  const nginx = await startNginx(origin, directory)
  if (nginx) await compareNginx(await own(nginx), gateway, how)
  if (values.only !== "") return

  if (!values["no-peer"]) await comparePeer(gateway, await own(startPeer(origin)), how)
  await compareJournal(gateway, where, how)
  await compareWorkers(gateway, where, how)
  say("rows")
  lines.push(line.rows(await gateway.rows()))
  if (values.long) {
    say("a million requests")
    const memory = await measureMemory(gateway, load)
    results["memory"] = memory
    lines.push(line.memory(memory))
  }
  say("open streams")
  // A new gateway, because memory that earlier scenarios left behind would count for the streams.
  const fresh = await own(startWholeGateway({ ...where, more, name: "streams" }))
  const streams = await measureStreams(fresh, load)
  results["streams"] = streams
  lines.push(...line.streams(streams))
  await fresh.stop()

  say("starting")
  const starting = await measureStarting({ rounds, postgres: { ...gateway.settings } })
  results["starting"] = starting
  lines.push(...line.starting(starting))
  const installed = measureInstalled(fileURLToPath(new URL("..", import.meta.url)))
  results["installed"] = installed
  lines.push(line.installed(installed))
}

/** @typedef {import("./_measure.mjs").Proxy} Proxy */
/** @typedef {Parameters<typeof measure>[2]} How */

/** @param {Proxy} bare @param {Proxy} gateway @param {How} how */
async function compare(bare, gateway, how) {
  for (const scenario of scenarios.filter(({ name }) => name.includes(values.only))) {
    const limit = await both(scenario.name, scenario, [bare, gateway], how)
    if (scenario.per === "piece") {
      lines.push(line.cpu(scenario, ...limit))
      continue
    }
    const most = limit[1].perSecond
    // Both at the same rate, because the slower proxy otherwise meets peers that sleep and pays for waking them.
    const rate = most * EQUAL_RATE
    const equal = await both(`${scenario.name}, at one rate`, scenario, [bare, gateway], { ...how, perSecond: rate })
    lines.push(line.cpu(scenario, ...equal, rate), line.cpuAtLimit(scenario, ...limit))
    if (!scenario.withLatency) continue
    const half = { ...how, perSecond: most / 2 }
    lines.push(
      ...line.latency(most / 2, ...(await both(`${scenario.name}, at half load`, scenario, [bare, gateway], half))),
    )
  }
}

/** Measures what the machine needs for the same bytes at least. @param {Proxy} nginx @param {Proxy} gateway @param {How} how */
async function compareNginx(nginx, gateway, how) {
  for (const scenario of scenarios.filter(({ name, withNginx }) => withNginx && name.includes(values.only))) {
    const [one, other] = await both(`${scenario.name}, ${nginx.name}`, scenario, [nginx, gateway], how)
    lines.push(line.nginx(scenario, nginx.name, one, other))
  }
}

/** @param {Proxy} gateway @param {Proxy} peer @param {How} how */
async function comparePeer(gateway, peer, how) {
  for (const scenario of scenarios.filter(({ withPeer }) => withPeer)) {
    const [one, other] = await both(`${scenario.name}, ${peer.name}`, scenario, [peer, gateway], how)
    lines.push(...line.peer(scenario, peer.name, one, other))
  }
}

/** Measures what the journal costs. @param {Proxy} gateway @param {Parameters<typeof startWholeGateway>[0]} where @param {How} how */
async function compareJournal(gateway, where, how) {
  const without = await own(
    startWholeGateway({ ...where, name: "journal off", more: { MAJORDOMO_LEDGER_JOURNAL: "false" } }),
  )
  const scenario = /** @type {import("./_scenarios.mjs").Scenario} */ (scenarios[0])
  const [one, other] = await both("journal off and on", scenario, [without, gateway], how)
  lines.push(line.journal(scenario, one, other))
  await without.stop()
}

/** Compares two workers with one process. @param {Proxy} gateway @param {Parameters<typeof startWholeGateway>[0]} where @param {How} how */
async function compareWorkers(gateway, where, how) {
  const two = await own(startWholeGateway({ ...where, name: "two workers", more: { MAJORDOMO_SERVER_WORKERS: "2" } }))
  const scenario = /** @type {import("./_scenarios.mjs").Scenario} */ (scenarios[0])
  const [one, other] = await both("two workers and one", scenario, [gateway, two], how)
  lines.push(...line.workers(scenario, one, other, cpus().length))
  await two.stop()
}

/**
 * @param {string} title @param {import("./_scenarios.mjs").Scenario} scenario @param {readonly [Proxy, Proxy]} proxies
 * @param {How} how
 */
async function both(title, scenario, proxies, how) {
  say(title)
  const found = await measure(scenario, proxies, how)
  results[title] = found
  const [one, other] = proxies.map(({ name }) => found[name])
  if (one === undefined || other === undefined) throw new Error("a proxy was not measured")
  return /** @type {const} */ ([one, other])
}

/** @param {string} what */
function say(what) {
  process.stderr.write(`${what}\n`)
}
