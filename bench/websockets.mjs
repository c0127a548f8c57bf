// npm run bench -- websockets [--rounds 5] [--seconds 3] [--sockets 2000]
// Measures what a WebSocket costs the gateway, with everything on: the CPU per message against a bare pipe of the same
// sockets, and the memory of open ones. Rounds alternate, and the minimum of each counts, because noise only adds. Fails above
// the goals.
import "./_typescript.mjs"
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { cpuMs, rssBytes, startScript } from "./_processes.mjs"

/** The CPU per message, as a ratio to the bare pipe. */
const MAX_RATIO = 1.5
const MAX_KB_PER_SOCKET = 40
/** How long the work after the last message (writing rows) still counts. */
const TAIL_MS = 700
/** After this time, the garbage of the handshakes is collected and idle sockets are idle. */
const IDLE_MS = 3000

const scenarios = [
  { name: "messages that come singly", sockets: 48, pieces: 400, together: 1, delayMs: 4 },
  { name: "messages in bursts of ten", sockets: 48, pieces: 4000, together: 10, delayMs: 8 },
]

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    sockets: { type: "string", default: "2000" },
  },
})
const directory = mkdtempSync(join(tmpdir(), "majordomo-sockets-"))
/** @type {(() => unknown)[]} */
const opened = [() => rmSync(directory, { recursive: true, force: true })]
/** @template {{ stop(): unknown }} T @param {T | Promise<T>} starting */
const own = async (starting) => {
  const started = await starting
  opened.push(() => started.stop())
  return started
}

try {
  const provider = await own(startScript("./socket-provider.mjs"))
  const origin = `http://127.0.0.1:${provider.port}`
  const load = await own(startLoad())
  const bare = { name: "pipe", headers: {}, ...(await own(startScript("./socket-pipe.mjs", { args: [origin] }))) }
  const database = await own(findDatabase())
  const more = { MAJORDOMO_SERVER_MAX_CONNECTIONS_PER_ADDRESS: "10000" }
  const where = { origin, databaseUrl: database.url, directory, more }
  const gateway = await own(startWholeGateway(where))
  for (const scenario of scenarios) await compare(scenario, bare, gateway, load)
  // A new gateway, because memory that the load left behind would count for the sockets.
  await measureMemory(await own(startWholeGateway({ ...where, name: "idle" })), load)
  process.stdout.write(`load of the machine: ${loadavg()[0]?.toFixed(1)}\n`)
} finally {
  for (const close of opened.toReversed()) await close()
}

/** @typedef {{ name: string, pid: number, port: number, headers: Record<string, string> }} Proxy */
/** @typedef {ReturnType<typeof startLoad>} Load */

/** @param {typeof scenarios[number]} scenario @param {Proxy} bare @param {Proxy} gateway @param {Load} load */
async function compare(scenario, bare, gateway, load) {
  const least = { bare: Number.POSITIVE_INFINITY, gateway: Number.POSITIVE_INFINITY }
  for (const proxy of [bare, gateway]) await measureRound(scenario, proxy, load)
  for (let round = 0; round < Number(values.rounds); round++) {
    least.bare = Math.min(least.bare, await measureRound(scenario, bare, load))
    least.gateway = Math.min(least.gateway, await measureRound(scenario, gateway, load))
  }
  const ratio = least.gateway / least.bare
  const numbers = `${least.gateway.toFixed(1)} us against ${least.bare.toFixed(1)} us`
  process.stdout.write(`CPU per message, ${scenario.name}: ${numbers}, ${ratio.toFixed(2)} x, at most ${MAX_RATIO} x\n`)
  if (!(ratio <= MAX_RATIO)) process.exitCode = 1
}

/** Returns the CPU per message in us. @param {typeof scenarios[number]} scenario @param {Proxy} proxy @param {Load} load */
async function measureRound(scenario, proxy, load) {
  const before = cpuMs(proxy.pid)
  const { name: _name, ...how } = scenario
  const counts = await load.run({ ...how, ...toTarget(proxy), durationMs: Number(values.seconds) * 1000 })
  await sleep(TAIL_MS)
  if (counts.failed > 0) throw new Error(`${proxy.name}: ${counts.failed} sockets failed`)
  return ((cpuMs(proxy.pid) - before) * 1000) / counts.messages
}

/** @param {Proxy} gateway @param {Load} load */
async function measureMemory(gateway, load) {
  const job = { ...toTarget(gateway), pieces: 1, together: 1, delayMs: 1, durationMs: 0 }
  await load.run({ ...job, sockets: 50 })
  await load.close()
  await sleep(IDLE_MS)
  const before = rssBytes(gateway.pid)
  const sockets = Number(values.sockets)
  const counts = await load.run({ ...job, sockets })
  if (counts.failed > 0) throw new Error(`${counts.failed} of ${sockets} sockets failed`)
  await sleep(IDLE_MS)
  const kb = (rssBytes(gateway.pid) - before) / 1024 / sockets
  await load.close()
  process.stdout.write(
    `memory of ${sockets} open sockets, idle after one turn each: ${kb.toFixed(1)} KB each, at most ${MAX_KB_PER_SOCKET} KB\n`,
  )
  if (!(kb <= MAX_KB_PER_SOCKET)) process.exitCode = 1
}

/** @param {Proxy} proxy */
function toTarget({ port, headers }) {
  return { port, headers: { authorization: "Bearer sk-bench", ...headers } }
}

function startLoad() {
  const script = fileURLToPath(new URL("./socket-load.mjs", import.meta.url))
  const child = fork(script, { stdio: ["ignore", "inherit", "inherit", "ipc"] })
  const ask = async (/** @type {any} */ job) => {
    child.send(job)
    const [counts] = await once(child, "message")
    return counts
  }
  return {
    /** @param {import("./socket-load.mjs").SocketJob} job @returns {Promise<import("./socket-load.mjs").SocketCounts>} */
    run: (job) => ask(job),
    close: () => ask("close"),
    stop: () => child.disconnect(),
  }
}
