// npm run bench -- websockets [--rounds 5] [--seconds 3] [--sockets 2000]
// Measures what a WebSocket costs the gateway, with everything on: the CPU per message and the memory of an open socket. The
// goal is set against a bare WebSocket pipe, which receives each message with the package `ws` and sends it on. For
// information, there is also the pipe of two raw sockets: it sees no messages, so that a chunk with a hundred of them costs it
// as much as one. Rounds alternate, and the minimum of each counts, because noise only adds. Fails above the goals.
import "./_typescript.mjs"
import { fork } from "node:child_process"
import { once } from "node:events"
import { loadavg } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { findDatabase, startWholeGateway } from "./_gateway.mjs"
import { cpuMs, rssBytes, startScript } from "./_processes.mjs"
import { createScope } from "./_world.mjs"

/** The CPU per message, as a ratio to the bare WebSocket pipe. */
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
const scope = createScope("sockets")
const { directory, own } = scope

try {
  const provider = await own(startScript("./socket-provider.mjs"))
  const origin = `http://127.0.0.1:${provider.port}`
  const load = await own(startLoad())
  const pipe = await own(startPipe("pipe of the package ws", "./socket-ws-pipe.mjs", origin))
  const raw = await own(startPipe("pipe of raw sockets", "./socket-pipe.mjs", origin))
  const database = await own(findDatabase())
  const more = { MAJORDOMO_SERVER_MAX_CONNECTIONS_PER_ADDRESS: "10000" }
  const where = { origin, databaseUrl: database.url, directory, more }
  const gateway = await own(startWholeGateway(where))
  for (const scenario of scenarios) await compare(scenario, { gateway, pipe, raw }, load)
  // New processes, because memory that the load left behind would count for the sockets.
  await compareMemory(
    [
      await own(startWholeGateway({ ...where, name: "gateway, idle" })),
      await own(startPipe("pipe of the package ws", "./socket-ws-pipe.mjs", origin)),
      await own(startPipe("pipe of raw sockets", "./socket-pipe.mjs", origin)),
    ],
    load,
  )
  process.stdout.write(`load of the machine: ${loadavg()[0]?.toFixed(1)}\n`)
} finally {
  await scope.close()
}

/** @typedef {{ name: string, pid: number, port: number, headers: Record<string, string> }} Proxy */
/** @typedef {ReturnType<typeof startLoad>} Load */

/** @param {string} name @param {string} script @param {string} origin */
async function startPipe(name, script, origin) {
  return { name, headers: {}, ...(await startScript(script, { args: [origin] })) }
}

/** @param {typeof scenarios[number]} scenario @param {Record<"gateway" | "pipe" | "raw", Proxy>} proxies @param {Load} load */
async function compare(scenario, proxies, load) {
  const each = Object.values(proxies)
  const least = new Map(each.map((proxy) => [proxy, Number.POSITIVE_INFINITY]))
  for (const proxy of each) await measureRound(scenario, proxy, load)
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const proxy of each) {
      least.set(proxy, Math.min(least.get(proxy) ?? 0, await measureRound(scenario, proxy, load)))
    }
  }
  const [gateway = 0, pipe = 0, raw = 0] = [proxies.gateway, proxies.pipe, proxies.raw].map((proxy) => least.get(proxy))
  const say = (/** @type {Proxy} */ { name }, /** @type {number} */ us, /** @type {string} */ goal) => {
    const ratio = `${(gateway / us).toFixed(2)} x`
    process.stdout.write(`  ${us.toFixed(1)} us through a ${name}: the gateway costs ${ratio}${goal}\n`)
  }
  process.stdout.write(`CPU per message, ${scenario.name}: ${gateway.toFixed(1)} us through the gateway\n`)
  say(proxies.pipe, pipe, `, at most ${MAX_RATIO} x`)
  say(proxies.raw, raw, " (for information)")
  if (!(gateway / pipe <= MAX_RATIO)) process.exitCode = 1
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

/** @param {[Proxy, Proxy, Proxy]} proxies of which the gateway is the first @param {Load} load */
async function compareMemory([gateway, ...pipes], load) {
  const kb = await measureMemory(gateway, load)
  process.stdout.write(`memory of ${values.sockets} open sockets, idle after one turn each:\n`)
  process.stdout.write(`  ${kb.toFixed(1)} KB each through the gateway, at most ${MAX_KB_PER_SOCKET} KB\n`)
  for (const pipe of pipes) {
    const bare = await measureMemory(pipe, load)
    process.stdout.write(`  ${bare.toFixed(1)} KB each through a ${pipe.name} (for information)\n`)
  }
  if (!(kb <= MAX_KB_PER_SOCKET)) process.exitCode = 1
}

/** Returns the KB per open socket. @param {Proxy} proxy @param {Load} load */
async function measureMemory(proxy, load) {
  const job = { ...toTarget(proxy), pieces: 1, together: 1, delayMs: 1, durationMs: 0 }
  await load.run({ ...job, sockets: 50 })
  await load.close()
  await sleep(IDLE_MS)
  const before = rssBytes(proxy.pid)
  const sockets = Number(values.sockets)
  const counts = await load.run({ ...job, sockets })
  if (counts.failed > 0) throw new Error(`${proxy.name}: ${counts.failed} of ${sockets} sockets failed`)
  await sleep(IDLE_MS)
  const kb = (rssBytes(proxy.pid) - before) / 1024 / sockets
  await load.close()
  return kb
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
