import { execFile, spawn } from "node:child_process"
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { createDatabase } from "./_database.mjs"

/** A program that builds caches or applies a schema at its first start takes long. */
const READY_MS = 180_000
/** How much of its log is shown when a gateway does not start. */
const LOG_CHARACTERS = 2000
const KEY = "sk-bench-0123456789abcdef"

/** Returns the gateways that have a start script in a directory. @param {string} dir */
export function findRivals(dir) {
  if (dir === "") throw new Error("npm run bench -- rivals DIR: name a directory, such as bench/rivals")
  const names = readdirSync(dir).filter((name) => existsSync(join(dir, name, "start")))
  return names.toSorted().map((name) => ({ name, dir: resolve(dir, name) }))
}

/**
 * Starts a gateway with a database of its own, and waits until it answers a GET with a status below 500. `stop` kills it and
 * drops its database.
 *
 * @param {{ name: string, dir: string }} rival
 * @param {{ origin: string, databaseUrl: string, directory: string }} where
 */
export async function startRival({ name, dir }, { origin, databaseUrl, directory }) {
  const port = await freePort()
  const work = join(directory, name)
  mkdirSync(work, { recursive: true })
  const database = await createDatabase(databaseUrl, `majordomo_rival_${name.replaceAll(/\W/g, "_").toLowerCase()}`)
  const env = {
    ...process.env,
    ...{ PORT: String(port), PROVIDER_URL: origin, KEY, WORK_DIR: work, DATABASE_URL: database.url },
    // A proxy of this machine must not stand between a gateway and the provider.
    NO_PROXY: "127.0.0.1",
    no_proxy: "127.0.0.1",
  }
  const running = run(name, { program: join(dir, "start"), cwd: work, env })
  const stop = async () => {
    await running.stop()
    await database.drop()
  }
  /** @param {string} script */
  const ask = async (script) => {
    const path = join(dir, script)
    return isExecutable(path) ? (await promisify(execFile)(path, [], { cwd: work, env })).stdout.trim() : undefined
  }
  const readRows = async () => {
    const text = await ask("rows")
    return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text)
  }
  try {
    await running.ready(port, (await ask("ready")) ?? "/")
    const headers = toHeaders(await ask("headers"))
    const version = await ask("version")
    const path = await ask("path")
    const before = await readRows()
    return {
      name: version === undefined ? name : `${name} ${version}`,
      pid: running.pid,
      port,
      ...(path !== undefined && { path }),
      headers,
      countRows: async () => (before === undefined ? undefined : ((await readRows()) ?? before) - before),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * Runs a start script in a process group of its own, which ends with this process.
 *
 * @param {string} name @param {{ program: string, cwd: string, env: NodeJS.ProcessEnv }} options
 */
function run(name, { program, cwd, env }) {
  const path = join(cwd, "log")
  const log = openSync(path, "a")
  const child = spawn(program, [], { cwd, env, detached: true, stdio: ["ignore", log, log] })
  closeSync(log)
  /** The reason why it has ended, if it has. @type {string | undefined} */
  let ended
  const exited = new Promise((/** @type {(value?: unknown) => void} */ done) => {
    const end = (/** @type {unknown} */ reason) => {
      ended = String(reason)
      done()
    }
    child.once("exit", (code, signal) => end(signal ?? code)).once("error", end)
  })
  const kill = () => {
    try {
      // Without a process id, the program could not be executed.
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    } catch {
      // It has ended.
    }
  }
  process.once("exit", kill)
  /** @param {string} what */
  const failure = (what) => new Error(`${name} ${what}. The end of its log:\n${readEnd(path)}`)
  return {
    pid: /** @type {number} */ (child.pid),
    /** @param {number} port @param {string} url */
    async ready(port, url) {
      const deadline = performance.now() + READY_MS
      while (!(await answers(port, url))) {
        if (ended !== undefined) throw failure(`ended (${ended}) before it was ready`)
        if (performance.now() > deadline) throw failure(`did not answer GET ${url} within ${READY_MS / 1000} s`)
        await sleep(100)
      }
    },
    async stop() {
      process.off("exit", kill)
      kill()
      await exited
    },
  }
}

/** @param {string} path */
function readEnd(path) {
  return readFileSync(path, "utf8").slice(-LOG_CHARACTERS).trim()
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Reads lines such as `X-Key: value`, with the names in lower case. @param {string | undefined} text */
function toHeaders(text = "") {
  const lines = text.split("\n").filter((line) => line.includes(":"))
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(":")
      return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()]
    }),
  )
}

/** @param {number} port @param {string} path */
async function answers(port, path) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5000) }).catch(
    () => undefined,
  )
  await response?.body?.cancel()
  return response !== undefined && response.status < 500
}

function freePort() {
  return new Promise((/** @type {(port: number) => void} */ done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
}
