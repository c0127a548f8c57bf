import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findPostgresBinaries, type PostgresBinaries } from "../support/_postgres-binaries.ts"
import { until } from "../support/until.ts"
import { ask } from "./_ask.ts"

const [PATRONI, ETCD] = ["/usr/bin/patroni", "/usr/bin/etcd"]
const PASSWORD = "test-password"
/** The shortest times in which Patroni takes the death of the primary for certain, in seconds. */
const TIMES = { ttl: 6, loop_wait: 1, retry_timeout: 2 }

/** Returns why the cluster cannot be started here; undefined if it can. */
export function whyNoPatroni(): string | undefined {
  const missing = [PATRONI, ETCD].filter((path) => !existsSync(path))
  return missing.length === 0 ? undefined : `${missing.join(" and ")} are missing: apt-get install patroni etcd-server`
}

export interface PatroniCluster {
  /** All servers in one URL, as the gateway takes it. */
  readonly url: string
  /** Returns the URL of the present primary. Waits until there is one. */
  findPrimary(): Promise<string>
  /** Kills the machine of a server: Patroni and PostgreSQL at once, by SIGKILL. */
  kill(url: string): void
  /** Starts the machine again; Patroni makes its server a standby. */
  restart(url: string): void
  /** The standbys that confirm each commit, as Patroni itself knows them: only those may become primary. */
  countSynchronous(): Promise<number>
  remove(): void
}

interface Node {
  readonly name: string
  readonly dir: string
  readonly port: number
  readonly apiPort: number
  readonly url: string
  process: ChildProcess | undefined
}

/** Starts two PostgreSQL servers with Patroni and one etcd. Each commit is confirmed by the standby (`synchronous_mode`). */
export async function startPatroni(): Promise<PatroniCluster> {
  const dir = mkdtempSync(join(tmpdir(), "mdm-patroni-"))
  const binaries = findPostgresBinaries(dir)
  const { user } = binaries
  const give = (path: string) => user && chownSync(path, user.uid, user.gid)
  give(dir)
  chmodSync(dir, 0o755)
  const etcdPort = await findFreePort()
  const etcd = startEtcd(dir, etcdPort, await findFreePort(), user)
  const nodes: Node[] = []
  for (const name of ["one", "two"]) {
    const own = join(dir, name)
    mkdirSync(own, { mode: 0o755 })
    give(own)
    const [port, apiPort] = [await findFreePort(), await findFreePort()]
    const url = `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`
    const node: Node = { name, dir: own, port, apiPort, url, process: undefined }
    const file = join(own, "patroni.json") // JSON is YAML
    writeFileSync(file, JSON.stringify(toConfig(node, etcdPort, binaries)), { mode: 0o600 })
    give(file)
    nodes.push(node)
  }
  const start = (node: Node) => {
    const options = {
      ...user,
      cwd: node.dir,
      env: { PATH: process.env["PATH"] ?? "", HOME: node.dir, LC_ALL: "C.UTF-8" },
    }
    node.process = spawn(PATRONI, [join(node.dir, "patroni.json")], { ...options, stdio: "ignore" })
  }
  const cluster: PatroniCluster = {
    url: `postgres://postgres:${PASSWORD}@${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}/postgres?target_session_attrs=read-write`,
    findPrimary: () =>
      until(async () => {
        for (const { url } of nodes) if (await isPrimary(url)) return url
        throw new Error("there is no primary")
      }, 100),
    kill(url) {
      killNode(nodes.find((node) => node.url === url)!)
    },
    restart(url) {
      start(nodes.find((node) => node.url === url)!)
    },
    async countSynchronous() {
      const url = await cluster.findPrimary()
      const { apiPort } = nodes.find((node) => node.url === url)!
      const answer = await fetch(`http://127.0.0.1:${apiPort}/cluster`)
      const { members } = (await answer.json()) as { members: readonly { role: string }[] }
      return members.filter(({ role }) => role === "sync_standby").length
    },
    remove() {
      nodes.forEach(killNode)
      etcd.kill("SIGKILL")
      rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    },
  }
  try {
    nodes.forEach(start)
    await until(async () => {
      if ((await cluster.countSynchronous()) === 0) throw new Error("no standby confirms commits yet")
    }, 500)
    return cluster
  } catch (error) {
    cluster.remove()
    throw error
  }
}

function startEtcd(dir: string, clientPort: number, peerPort: number, user: PostgresBinaries["user"]): ChildProcess {
  const at = (port: number) => `http://127.0.0.1:${port}`
  const args = [
    ...["--data-dir", join(dir, "etcd"), "--name", "one"],
    ...["--listen-client-urls", at(clientPort), "--advertise-client-urls", at(clientPort)],
    ...["--listen-peer-urls", at(peerPort), "--initial-advertise-peer-urls", at(peerPort)],
    ...["--initial-cluster", `one=${at(peerPort)}`],
  ]
  return spawn(ETCD, args, { ...user, cwd: dir, stdio: "ignore" })
}

function toConfig({ name, dir, port, apiPort }: Node, etcdPort: number, { bin }: PostgresBinaries): object {
  const parameters = { max_connections: 60, shared_buffers: "64MB", unix_socket_directories: dir, max_wal_senders: 8 }
  return {
    scope: "chaos",
    name,
    etcd3: { host: `127.0.0.1:${etcdPort}` },
    restapi: { listen: `127.0.0.1:${apiPort}`, connect_address: `127.0.0.1:${apiPort}` },
    bootstrap: {
      dcs: {
        ...TIMES,
        synchronous_mode: true,
        maximum_lag_on_failover: 1 << 20,
        postgresql: { parameters, use_pg_rewind: true },
      },
      initdb: [{ encoding: "UTF8" }, { locale: "C.UTF-8" }],
    },
    postgresql: {
      listen: `127.0.0.1:${port}`,
      connect_address: `127.0.0.1:${port}`,
      data_dir: join(dir, "data"),
      bin_dir: bin,
      pgpass: join(dir, "pgpass"),
      pg_hba: [
        "local all all trust",
        "host all all 127.0.0.1/32 scram-sha-256",
        "host replication all 127.0.0.1/32 scram-sha-256",
      ],
      authentication: {
        superuser: { username: "postgres", password: PASSWORD },
        replication: { username: "replicator", password: PASSWORD },
      },
      parameters: { unix_socket_directories: dir },
    },
  }
}

async function isPrimary(url: string): Promise<boolean> {
  const rows = await ask<{ standby: boolean }>(url, "SELECT pg_is_in_recovery() AS standby").catch(() => [])
  return rows[0]?.standby === false
}

/** Kills Patroni first, which would start PostgreSQL again. */
function killNode(node: Node): void {
  node.process?.kill("SIGKILL")
  node.process = undefined
  const file = join(node.dir, "data", "postmaster.pid")
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, "utf8").split("\n")[0])
  const lines = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" }).split("\n")
  const children = lines.map((line) => line.trim().split(/\s+/).map(Number)).filter(([, parent]) => parent === pid)
  for (const each of [pid, ...children.map(([child]) => child!)]) {
    try {
      process.kill(each, "SIGKILL")
    } catch {
      // It has ended by itself.
    }
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
