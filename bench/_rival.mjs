import { execFile, spawn } from "node:child_process"
import { accessSync, constants, existsSync, mkdirSync, openSync, readdirSync } from "node:fs"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import pg from "pg"

/** A program that builds caches or applies a schema at its first start takes long. */
const READY_MS = 180_000
const KEY = "sk-bench-0123456789abcdef"

/** Returns the gateways that have a start script in a directory. @param {string} dir */
export function findRivals(dir) {
  if (dir === "") throw new Error("npm run bench -- rivals DIR: name a directory, such as bench/rivals")
  const names = readdirSync(dir).filter((name) => existsSync(join(dir, name, "start")))
  return names.toSorted().map((name) => ({ name, dir: resolve(dir, name) }))
}

/**
 * Starts a gateway with a database of its own, and waits until it answers a request with 200.
 *
 * @param {{ name: string, dir: string }} rival
 * @param {{ origin: string, databaseUrl: string, directory: string }} where
 */
export async function startRival({ name, dir }, { origin, databaseUrl, directory }) {
  const port = await freePort()
  const work = join(directory, name)
  mkdirSync(work, { recursive: true })
  const env = {
    ...process.env,
    ...{ PORT: String(port), PROVIDER_URL: origin, KEY, WORK_DIR: work },
    DATABASE_URL: await createDatabase(databaseUrl, `rival_${name.replaceAll(/\W/g, "_")}`),
  }
  const log = openSync(join(work, "log"), "a")
  const child = spawn(join(dir, "start"), [], { cwd: work, env, detached: true, stdio: ["ignore", log, log] })
  const exited = new Promise((done) => void child.once("exit", done).once("error", done))
  const stop = async () => {
    try {
      process.kill(-(/** @type {number} */ (child.pid)), "SIGKILL") // the group that this script started
    } catch {
      // It has ended.
    }
    await exited
  }
  /** @param {string} script */
  const ask = async (script) => {
    const path = join(dir, script)
    return isExecutable(path) ? (await promisify(execFile)(path, [], { cwd: work, env })).stdout.trim() : undefined
  }
  try {
    const deadline = performance.now() + READY_MS
    for (;;) {
      if (child.exitCode !== null || performance.now() > deadline) throw new Error(`${name} did not start: see its log`)
      if (await answers(port, (await ask("ready")) ?? "/")) break
      await sleep(200)
    }
    const headers = toHeaders(await ask("headers"))
    const version = await ask("version")
    const path = await ask("path")
    const before = Number((await ask("rows")) ?? Number.NaN)
    return {
      name: version === undefined ? name : `${name} ${version}`,
      pid: /** @type {number} */ (child.pid),
      port,
      ...(path !== undefined && { path }),
      headers,
      countRows: async () => (Number.isNaN(before) ? undefined : Number(await ask("rows")) - before),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
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

/** Reads lines such as `x-key: value`. @param {string | undefined} text @returns {Record<string, string>} */
function toHeaders(text = "") {
  const lines = text.split("\n").filter((line) => line.includes(":"))
  return Object.fromEntries(lines.map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 1).trim()]))
}

/** @param {string} url @param {string} name */
async function createDatabase(url, name) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await client.query(`CREATE DATABASE ${name}`)
  } finally {
    await client.end()
  }
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
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
