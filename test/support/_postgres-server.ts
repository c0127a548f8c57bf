import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { findPostgresBinaries, type PostgresBinaries } from "./_postgres-binaries.ts"
import { copyTree } from "./copy-tree.ts"
import { findLastingDirectory } from "./memory-disk.ts"

export interface PostgresServerOptions {
  /** Further settings, as on the command line: `{ max_connections: "20" }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Texts in PEM format. With them, the server offers TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Lines for pg_hba.conf instead of `host all all all scram-sha-256`. `local` is always trusted. */
  readonly hostRules?: readonly string[]
  /** The directory that contains the server's directory, instead of the system's temporary one. */
  readonly under?: string
  /** Starts as a hot standby of the server at this URL, which must admit it (`host replication …`). `pg_promote()` ends that. */
  readonly standbyOf?: string
}

/** A private PostgreSQL that a test may damage. */
export interface PostgresServer {
  /** The URL of the superuser over TCP on the loopback interface, with its password. Restarts do not change it. */
  readonly url: string
  readonly port: number
  readonly socketDir: string
  /** Stops the server (fast shutdown) and keeps its data. `start` starts it again. */
  stop(): Promise<void>
  /** Sends SIGKILL to the server and all its backends, which leaves what a power failure leaves. */
  kill(): Promise<void>
  /** Sends SIGSTOP to the server and all its backends: connections stay open, but nothing responds. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  start(): Promise<void>
  /** Stops the server and deletes everything. */
  remove(): Promise<void>
}

const PASSWORD = "test-password"
const LOOSE = [
  "fsync=off",
  // Compiling a statement takes more CPU time than any statement of a test.
  "jit=off",
  "full_page_writes=off",
  "synchronous_commit=off",
  "shared_buffers=64MB",
  "max_connections=200",
]

/** Starts a private PostgreSQL in about a second. It ends when `remove` is called or this process ends in any way. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const dir = mkdtempSync(join(options.under ?? tmpdir(), "mdm-pg-"))
  const binaries = findPostgresBinaries(dir)
  const port = await findFreePort()
  let running: Running | undefined
  try {
    await initialise(dir, binaries, options)
    running = await run(dir, binaries, port, options)
  } catch (error) {
    rmSync(dir, { recursive: true, force: true })
    throw error
  }

  const end = async (signal: NodeJS.Signals) => {
    const ending = running
    running = undefined
    if (ending === undefined) return
    if (signal === "SIGKILL") signalAll(ending.pid, "SIGKILL")
    else process.kill(ending.pid, signal)
    await ending.exited
  }
  const thaw = async () => running && signalAll(running.pid, "SIGCONT")
  return {
    url: `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    port,
    socketDir: dir,
    stop: () => end("SIGINT"),
    kill: () => end("SIGKILL"),
    freeze: async () => void (running && signalAll(running.pid, "SIGSTOP")),
    thaw: async () => void (await thaw()),
    start: async () => {
      running ??= await run(dir, binaries, port, options)
    },
    remove: async () => {
      await thaw()
      await end("SIGQUIT")
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function initialise(dir: string, { bin, user }: PostgresBinaries, options: PostgresServerOptions): Promise<void> {
  const give = (path: string) => user && chownSync(path, user.uid, user.gid)
  const put = (name: string, content: string) => {
    const path = join(dir, name)
    writeFileSync(path, content, { mode: 0o600 })
    give(path)
    return path
  }
  const data = join(dir, "data")
  give(dir)
  chmodSync(dir, 0o755) // psql of another user must reach the socket in it
  if (options.standbyOf === undefined) {
    copyTree(await makeTemplate({ bin, user }), data)
  } else {
    mkdirSync(data, { mode: 0o700 })
    give(data)
    const copy = ["-D", data, "-d", options.standbyOf, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
    await promisify(execFile)(join(bin, "pg_basebackup"), copy, { ...user, cwd: dir })
  }
  const rules = options.hostRules ?? ["host all all all scram-sha-256"]
  put("data/pg_hba.conf", ["local all all trust", ...rules, ""].join("\n"))
  if (options.tls !== undefined) {
    put("server.key", options.tls.key)
    put("server.crt", options.tls.cert)
  }
}

/**
 * Returns a cluster without databases of its own. `initdb` takes seconds, so all servers of this machine start with copies of
 * one, which stays for the next run.
 */
async function makeTemplate({ bin, user }: PostgresBinaries): Promise<string> {
  const { stdout: version } = await promisify(execFile)(join(bin, "postgres"), ["--version"], { ...user, cwd: "/" })
  const template = join(
    findLastingDirectory(),
    `majordomo-test-cluster-${user?.uid ?? "own"}-${version.replace(/[^\w.]+/g, "-")}`,
  )
  if (existsSync(template)) return template
  const draft = mkdtempSync(`${template}.`)
  try {
    if (user) chownSync(draft, user.uid, user.gid)
    const password = join(draft, "password")
    writeFileSync(password, PASSWORD) // readable by the user of the server
    const data = join(draft, "data")
    const args = ["-D", data, "-U", "postgres", "--no-sync", "--no-locale", "--encoding=UTF8", `--pwfile=${password}`]
    await promisify(execFile)(join(bin, "initdb"), args, { ...user, cwd: draft })
    renameSync(data, template)
  } catch (error) {
    if (!existsSync(template)) throw error // another process has made it meanwhile
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return template
}

interface Running {
  readonly pid: number
  readonly exited: Promise<unknown>
}

/**
 * Runs the server below a shell that outlives this process. The shell reads its standard input, which the system closes when
 * this process ends in any way. It then stops the server and removes the directory.
 */
const KEEPER = `dir=$1; shift
"$@" </dev/null 3<&- &
server=$!
echo "$server"
( read -r word; if [ "$word" != done ]; then
    kill -CONT $server; kill -QUIT $server; while kill -0 $server; do sleep 0.1; done; rm -rf "$dir"; fi ) 2>/dev/null <&3 &
wait $server`

async function run(
  dir: string,
  { bin, user }: PostgresBinaries,
  port: number,
  options: PostgresServerOptions,
): Promise<Running> {
  const tls = options.tls ? ["ssl=on", `ssl_cert_file=${dir}/server.crt`, `ssl_key_file=${dir}/server.key`] : []
  const extra = Object.entries(options.settings ?? {}).map(([name, value]) => `${name}=${value}`)
  const settings = [...LOOSE, "listen_addresses=127.0.0.1", `port=${port}`, `unix_socket_directories=${dir}`, ...tls]
  const flags = [...settings, ...extra].flatMap((setting) => ["-c", setting])
  const child = spawn(
    "/bin/sh",
    ["-c", KEEPER, "keeper", dir, join(bin, "postgres"), "-D", join(dir, "data"), ...flags],
    {
      ...user,
      cwd: dir,
      detached: true, // Ctrl-C in the terminal is for the test runner, which then stops the server in order
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    },
  )
  const exited = new Promise((resolve) => child.once("exit", resolve))
  void exited.then(() => (child.stdio[3] as NodeJS.WritableStream).end("done\n"))
  ;(child.stdio[3] as NodeJS.WritableStream).on("error", () => {})
  const pid = await untilReady(child)
  for (const stream of [child, child.stdout, child.stderr, ...child.stdio.slice(3)]) unref(stream)
  return { pid, exited }
}

function unref(handle: unknown): void {
  ;(handle as { unref?: () => void } | null)?.unref?.()
}

function untilReady(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let pid = ""
    let said = ""
    child.stdout!.on("data", (chunk) => {
      pid += chunk
    })
    child.stderr!.on("data", (chunk) => {
      if (said.length < 100_000) said += chunk
      if (/database system is ready to accept (read-only )?connections/.test(said))
        resolve(Number(pid.split("\n", 1)[0]))
    })
    child.once("error", reject)
    child.once("exit", () => reject(new Error(`PostgreSQL ended before it was ready:\n${said}`)))
  })
}

/** Signals the postmaster first, so that it creates no new backend meanwhile (and last for SIGCONT). */
function signalAll(pid: number, signal: NodeJS.Signals): void {
  const parentFirst = [pid, ...findChildren(pid)]
  for (const each of signal === "SIGCONT" ? parentFirst.reverse() : parentFirst) {
    try {
      process.kill(each, signal)
    } catch {
      // The process has ended meanwhile.
    }
  }
}

function findChildren(parent: number): number[] {
  const pairs = existsSync("/proc/self/stat") ? readProcesses() : execFileSync("ps", ["-A", "-o", "pid=,ppid="])
  const lines = String(pairs).trim().split("\n")
  return lines.map((line) => line.trim().split(/\s+/).map(Number)).flatMap(([pid, of]) => (of === parent ? [pid!] : []))
}

/** Returns what `ps -A -o pid=,ppid=` prints, for slim containers without ps. */
function readProcesses(): string {
  const lines = readdirSync("/proc").map((name) => {
    try {
      const stat = readFileSync(`/proc/${Number(name)}/stat`, "utf8")
      return `${name} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]}`
    } catch {
      return "" // not a process, or it has ended meanwhile
    }
  })
  return lines.filter((line) => line !== "").join("\n")
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))))
    })
  })
}
