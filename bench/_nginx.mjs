import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/**
 * Starts nginx with one worker as a proxy of the fake provider: what this machine needs for the same bytes at least. Returns
 * undefined where nginx is not installed.
 *
 * @param {string} origin @param {string} directory
 */
export async function startNginx(origin, directory) {
  const version = readVersion()
  if (version === undefined) return undefined
  const port = await freePort()
  const home = join(directory, "nginx")
  mkdirSync(home, { recursive: true })
  const file = join(home, "nginx.conf")
  writeFileSync(file, toConfiguration({ home, port, upstream: new URL(origin).host }))
  const child = spawn("nginx", ["-c", file, "-e", join(home, "error.log")], { stdio: ["ignore", "ignore", "inherit"] })
  await opened(port, child)
  return {
    name: `nginx ${version}`,
    headers: {},
    pid: /** @type {number} */ (child.pid),
    port,
    async stop() {
      if (child.exitCode !== null) return
      const exited = once(child, "exit")
      child.kill("SIGTERM")
      await exited
    },
  }
}

function readVersion() {
  try {
    const said = execFileSync("sh", ["-c", "nginx -v 2>&1"], { encoding: "utf8" })
    return /nginx\/(\S+)/.exec(said)?.[1]
  } catch {
    return undefined
  }
}

/** @param {{ home: string, port: number, upstream: string }} options */
function toConfiguration({ home, port, upstream }) {
  const directories = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  return `daemon off;
master_process off;
pid ${home}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  ${directories.map((name) => `${name}_temp_path ${home}/${name};`).join("\n  ")}
  client_max_body_size 0;
  keepalive_requests 1000000000;
  upstream provider { server ${upstream}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
}
`
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  return typeof address === "object" ? (address?.port ?? 0) : 0
}

/** @param {number} port @param {import("node:child_process").ChildProcess} child */
async function opened(port, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`)
    const socket = connect(port, "127.0.0.1")
    const isOpen = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "close").then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (isOpen) return
    await sleep(20)
  }
}
