// npm run bench -- rivals DIR [--rounds 3] [--seconds 3] [--connections 16] [--only NAME] [--json]
// Sends the same load through the bare pass-through, this gateway and every gateway that has a start script in DIR, and
// prints what a request costs each of them and how many of the answered requests have a row. bench/rivals/README.md says
// what the scripts get and do. DATABASE_URL names a PostgreSQL in which each gateway gets a database, which is dropped
// afterwards; without it, one is started.
import "./_typescript.mjs"
import { rmSync } from "node:fs"
import { cpus } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import pg from "pg"
import { createDatabase } from "./_database.mjs"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { median } from "./_measure.mjs"
import { cpuMs, startLoad, startScript } from "./_processes.mjs"
import { findRivals, startRival } from "./_rival.mjs"
import { createScope, startBothEnds } from "./_world.mjs"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    connections: { type: "string", default: "16" },
    only: { type: "string", default: "" },
    json: { type: "boolean", default: false },
  },
})
const PROMPT = "Say in one sentence why a gateway should not cost more than the work that it passes on."
const BODY = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: PROMPT }], temperature: 0 })
/** Requests through each gateway before the measurement, because the CPU of a compiler does not count. */
const WARM_UP_REQUESTS = 5000
const WARM_UP_MS = 40_000
/** A gateway is idle when it needs less than a tenth of a core for so long. */
const IDLE_MS = 500
const IDLE_CPU_MS = IDLE_MS / 10
/** How long the work that a gateway leaves for after its answers, such as writing rows, counts as part of a round. */
const LEFT_WORK_MS = 10_000
/** Rows that a gateway writes later than this after its last answer do not count. */
const ROWS_MS = 30_000
/** Rows of answers with the status 200, with the tokens that the provider reports in each of them. */
const OUR_ROWS =
  "SELECT count(*)::int AS rows FROM llm_requests WHERE status_code = 200 AND input_tokens > 0 AND output_tokens > 0"

/**
 * @typedef {object} Proxy
 * @property {string} name
 * @property {number} pid @property {number} port
 * @property {string} [path]
 * @property {Record<string, string>} headers
 * @property {() => Promise<number | undefined>} countRows undefined: it writes none, or nobody can say how many
 * @property {() => unknown} stop
 */

const scope = createScope("rivals")
const { directory, own } = scope
// Gateways are killed, and their directories deleted, when this process is interrupted.
process.once("exit", () => rmSync(directory, { recursive: true, force: true }))
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, () => process.exit(1))

try {
  const { origin, load } = await startBothEnds(scope)
  const { url: databaseUrl } = await own(findDatabase())
  const rivals = findRivals(positionals[0] ?? "").filter(({ name }) => name.includes(values.only))
  // One at a time, so that nothing that another gateway does in the background counts.
  const found = [
    await measure(() => startBare(origin), load),
    await measure(() => startOurs(origin, databaseUrl), load),
  ]
  for (const rival of rivals) {
    try {
      found.push(await measure(() => startRival(rival, { origin, databaseUrl, directory }), load))
    } catch (error) {
      process.stderr.write(`${/** @type {Error} */ (error).message}\n`)
    }
  }
  const result = {
    at: new Date().toISOString(),
    node: process.version,
    cpu: cpus()[0]?.model,
    cpus: cpus().length,
    found,
  }
  process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : `${toMarkdown(found)}\n`)
} finally {
  await scope.close()
}

/** @param {string} origin @returns {Promise<Proxy>} */
async function startBare(origin) {
  const started = await startScript("./pass-through.mjs", { args: [origin] })
  return { name: "bare pass-through", headers: {}, countRows: async () => undefined, ...started }
}

/** @param {string} origin @param {string} serverUrl @returns {Promise<Proxy>} */
async function startOurs(origin, serverUrl) {
  const database = await createDatabase(serverUrl, "majordomo_rival_ours")
  const name = "majordomo-gateway"
  const gateway = await startWholeGateway({ origin, databaseUrl: database.url, directory, name })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const stop = async () => {
    await gateway.stop()
    await client.end()
    await database.drop()
  }
  return { ...gateway, countRows: async () => (await client.query(OUR_ROWS)).rows[0].rows, stop }
}

/** @param {() => Promise<Proxy>} start @param {ReturnType<typeof startLoad>} load */
async function measure(start, load) {
  const proxy = await start()
  try {
    process.stderr.write(`${proxy.name}\n`)
    return await measureStarted(proxy, load)
  } finally {
    await proxy.stop()
  }
}

/** @param {Proxy} proxy @param {ReturnType<typeof startLoad>} load */
async function measureStarted(proxy, load) {
  const run = (/** @type {number} */ seconds) =>
    load.run({
      port: proxy.port,
      path: proxy.path ?? "/v1/chat/completions",
      headers: { "content-type": "application/json", authorization: "Bearer sk-bench", ...proxy.headers },
      body: BODY,
      connections: Number(values.connections),
      durationMs: seconds * 1000,
    })
  let answered = 0
  const warmUntil = performance.now() + WARM_UP_MS
  do {
    const counts = await run(2)
    answered += countAnswered(counts)
    if (answered === 0) throw new Error(`${proxy.name} answered no request with 200: ${JSON.stringify(counts)}`)
  } while (answered < WARM_UP_REQUESTS && performance.now() < warmUntil)
  await untilIdle(proxy.pid)
  const rounds = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const before = cpuMs(proxy.pid)
    const counts = await run(Number(values.seconds))
    await untilIdle(proxy.pid)
    answered += countAnswered(counts)
    const cpuUs = ((cpuMs(proxy.pid) - before) * 1000) / Math.max(1, counts.requests)
    rounds.push({ cpuUs, perSecond: (counts.requests * 1000) / counts.elapsedMs, ...counts })
  }
  const of = (/** @type {"cpuUs" | "perSecond" | "p50Ms" | "p99Ms"} */ field) =>
    median(rounds.map((round) => round[field]))
  const written = await countWritten(proxy, answered)
  const failed = rounds.reduce((sum, round) => sum + round.failed, 0)
  const statuses = rounds.at(-1)?.statuses
  const figures = { cpuUs: of("cpuUs"), perSecond: of("perSecond"), p50Ms: of("p50Ms"), p99Ms: of("p99Ms") }
  return { name: proxy.name, ...figures, answered, written, failed, statuses }
}

/** Waits until a gateway has done what it left for after its answers, but not for long. @param {number} pid */
async function untilIdle(pid) {
  const deadline = performance.now() + LEFT_WORK_MS
  for (let before = cpuMs(pid); performance.now() < deadline; ) {
    await sleep(IDLE_MS)
    const now = cpuMs(pid)
    if (now - before < IDLE_CPU_MS) return
    before = now
  }
}

/** Returns how many requests were answered with 200. @param {import("./load.mjs").Counts} counts */
function countAnswered({ statuses }) {
  return statuses["200"] ?? 0
}

/** Waits for the rows of all answered requests, but not for long. @param {Proxy} proxy @param {number} answered */
async function countWritten(proxy, answered) {
  const deadline = performance.now() + ROWS_MS
  for (;;) {
    const written = await proxy.countRows()
    if (written === undefined || written >= answered || performance.now() > deadline) return written
    await sleep(500)
  }
}

/** @param {readonly Awaited<ReturnType<typeof measure>>[]} found */
function toMarkdown(found) {
  const head = ["", "CPU per request", "requests/s", "p50", "p99", "answered with 200", "rows written", "failed"]
  const rows = found.map((each) => [
    each.name,
    `${each.cpuUs.toFixed(0)} us`,
    each.perSecond.toFixed(0),
    `${each.p50Ms.toFixed(1)} ms`,
    `${each.p99Ms.toFixed(1)} ms`,
    String(each.answered),
    each.written === undefined
      ? "none"
      : `${each.written} (${((each.written * 100) / Math.max(1, each.answered)).toFixed(1)} %)`,
    String(each.failed),
  ])
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"))
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")
}
