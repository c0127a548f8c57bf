import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const PEER = "@portkey-ai/gateway"
const VERSION = "1.15.2"
const CACHE = fileURLToPath(new URL("../node_modules/.cache/majordomo-gateway/peer", import.meta.url))
const READY_MS = 20_000

/**
 * Starts the peer, which npm downloads on the first run and which is not one of our dependencies. It forwards the same
 * request to the same fake provider, without keys, prices or rows.
 *
 * @param {string} origin of the fake provider
 */
export async function startPeer(origin) {
  const program = join(CACHE, "node_modules", PEER, "build/start-server.js")
  if (!existsSync(program)) fetchPeer()
  const port = await freePort()
  const child = spawn(process.execPath, [program, "--headless", `--port=${port}`], {
    cwd: CACHE,
    stdio: "ignore",
    env: { ...process.env, NODE_ENV: "production", TRUSTED_CUSTOM_HOSTS: "127.0.0.1,localhost" },
  })
  const exited = new Promise((resolve) => child.once("exit", resolve))
  const deadline = performance.now() + READY_MS
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`${PEER} did not start`)
    await sleep(50)
  }
  return {
    name: `Portkey ${VERSION}`,
    pid: /** @type {number} */ (child.pid),
    port,
    headers: { "x-portkey-provider": "openai", "x-portkey-custom-host": `${origin}/v1` },
    async stop() {
      child.kill()
      await exited
    },
  }
}

function fetchPeer() {
  process.stderr.write(`downloading ${PEER}@${VERSION}\n`)
  mkdirSync(CACHE, { recursive: true })
  writeFileSync(join(CACHE, "package.json"), "{}")
  const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", `${PEER}@${VERSION}`]
  execFileSync("npm", args, { cwd: CACHE, stdio: ["ignore", "ignore", "inherit"] })
}

function freePort() {
  return new Promise((/** @type {(port: number) => void} */ resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
}

/** @param {number} port */
function answers(port) {
  return new Promise((/** @type {(ready: boolean) => void} */ resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })
}
