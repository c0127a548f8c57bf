import { execFileSync, fork, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))

/**
 * Starts one of our own scripts and waits until it has sent its port.
 *
 * @param {string} script
 * @param {{ args?: string[], typescript?: boolean }} [options]
 */
export async function startScript(script, { args = [], typescript = false } = {}) {
  const execArgv = typescript ? ["--import", new URL("./_typescript.mjs", import.meta.url).href] : []
  const child = fork(here(script), args, { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] })
  const [{ port }] = await Promise.race([once(child, "message"), failed(child, script)])
  return { pid: /** @type {number} */ (child.pid), port: /** @type {number} */ (port), stop: () => stop(child) }
}

/** The number of requests answered so far through a port, for all load generators. @type {Map<number, number>} */
const answered = new Map()

/** @param {number} port */
export function requestsThrough(port) {
  return answered.get(port) ?? 0
}

/** Starts the load generator. */
export function startLoad() {
  const child = fork(here("./load.mjs"), { stdio: ["ignore", "inherit", "inherit", "ipc"] })
  const died = failed(child, "load.mjs")
  died.catch(() => {})
  return {
    /** @param {import("./load.mjs").Job} job @returns {Promise<import("./load.mjs").Counts>} */
    async run(job) {
      child.send(job)
      const [counts] = await Promise.race([once(child, "message"), died])
      answered.set(job.port, requestsThrough(job.port) + counts.requests)
      return counts
    },
    stop: () => stop(child),
  }
}

/**
 * Runs the program in the directory and waits for its banner, which names the port.
 *
 * @param {Record<string, string>} settings @param {string} cwd @param {string} [program] another build
 */
export async function startGateway(settings, cwd, program = here("../bin/majordomo.mjs")) {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [program, "serve", "--quiet"], {
    cwd,
    env: { ...process.env, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let said = ""
  const port = await new Promise((/** @type {(port: number) => void} */ resolve, reject) => {
    const listen = (/** @type {Buffer} */ bytes) => {
      said += bytes
      const found = /Starting Majordomo Gateway on [^\s]*:(\d+)/.exec(said)
      if (found) resolve(Number(found[1]))
    }
    child.stdout.on("data", listen)
    child.stderr.on("data", listen)
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}:\n${said}`)))
  })
  return {
    pid: /** @type {number} */ (child.pid),
    port,
    /** Returns what the program has printed. */
    said: () => said,
    readyMs: performance.now() - startedAt,
    stop: () => stop(child),
  }
}

/**
 * Runs a command of the program and returns what it prints.
 *
 * @param {string[]} args @param {Record<string, string>} settings @param {string} cwd
 */
export function runGateway(args, settings, cwd) {
  return execFileSync(process.execPath, [here("../bin/majordomo.mjs"), ...args], {
    cwd,
    env: { ...process.env, ...settings },
    encoding: "utf8",
  })
}

/**
 * Returns the CPU time in ms that a process and its children have used so far, as the operating system counts it. On Linux,
 * the resolution is a clock tick of 10 ms. Elsewhere, ps provides it for the process alone, in hundredths of a second at best.
 *
 * @param {number} pid
 */
export function cpuMs(pid) {
  if (process.platform !== "linux") return psCpuMs(pid)
  let ticks = 0
  for (const id of withChildren(pid)) {
    const fields = statOf(id)
    if (fields !== undefined) ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * 10
}

/** Returns the resident memory of a process and its children, in bytes. @param {number} pid */
export function rssBytes(pid) {
  if (process.platform !== "linux") return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)])) * 1024
  let pages = 0
  for (const id of withChildren(pid)) pages += Number(statOf(id)?.[21] ?? 0)
  return pages * 4096
}

/** @param {number} pid */
function withChildren(pid) {
  const parents = new Map()
  for (const name of readdirSync("/proc")) {
    const fields = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    if (fields !== undefined) parents.set(Number(name), Number(fields[1]))
  }
  const family = new Set([pid])
  for (let grown = 0; grown < family.size; ) {
    grown = family.size
    for (const [id, parent] of parents) if (family.has(parent)) family.add(id)
  }
  return family
}

/** Returns the fields of /proc/PID/stat after the name, which can contain spaces. @param {number} pid */
function statOf(pid) {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8")
    return line.slice(line.lastIndexOf(")") + 2).split(" ")
  } catch {
    return undefined
  }
}

/** @param {number} pid */
function psCpuMs(pid) {
  const [seconds = "0", ...bigger] = execFileSync("ps", ["-o", "time=", "-p", String(pid)], { encoding: "utf8" })
    .trim()
    .split(/[:-]/)
    .reverse()
  return (Number(seconds) + Number(bigger[0] ?? 0) * 60 + Number(bigger[1] ?? 0) * 3600) * 1000
}

/** @param {import("node:child_process").ChildProcess} child @param {string} what @returns {Promise<never>} */
async function failed(child, what) {
  const [code, signal] = await once(child, "exit")
  throw new Error(`${what} ended early (${signal ?? code})`)
}

/** @param {import("node:child_process").ChildProcess} child */
async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, "exit")
  if (child.connected) child.disconnect()
  else child.kill("SIGTERM")
  await exited
}
