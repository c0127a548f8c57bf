import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import pg from "pg"
import { onTestFinished } from "vitest"
import { findAssets } from "../../src/embedded/assets.ts"
import { prepareCluster } from "../../src/embedded/cluster.ts"
import { makeSocketPath } from "../../src/embedded/endpoint.ts"
import type { MultiplexerOptions } from "../../src/embedded/multiplexer.ts"
import { type EmbeddedServer, startEmbeddedServer } from "../../src/embedded/server.ts"
import { EMBEDDED_CACHE } from "../support/embedded-template.ts"
import { FAST_START } from "../support/fast-start.ts"

/** Creates a directory that is removed when the process ends. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-embedded-"))
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface TestServer extends EmbeddedServer {
  readonly socket: string
  readonly lines: string[]
  /** Connects a client that is closed at the end of the test. */
  connect(config?: pg.ClientConfig): Promise<pg.Client>
}

/** Starts an embedded server without its lock and without a connection pool. */
export async function startTestServer(
  limits: Pick<MultiplexerOptions, "idleTransactionMs" | "statementLimitMs" | "maxClients"> = {},
  validUntil?: Float64Array,
): Promise<TestServer> {
  const dataDir = makeDirectory()
  const lines: string[] = []
  const log = (line: string) => void lines.push(line)
  const { workerUrl, seedFile } = findAssets()
  const directory = await prepareCluster({ dataDir, seedFile, workerUrl, log })
  const socket = makeSocketPath(dataDir)
  const server = await startEmbeddedServer({
    workerUrl,
    directory,
    socket,
    log,
    limits,
    ...(validUntil && { validUntil }),
  })
  return {
    ...server,
    socket,
    lines,
    async connect(config) {
      const client = new pg.Client({ host: dirname(socket), user: "postgres", database: "postgres", ...config })
      client.on("error", () => {})
      await client.connect()
      onTestFinished(() => client.end().catch(() => {}))
      return client
    },
  }
}

export interface ScriptProcess {
  readonly process: ChildProcess
  /** Returns the next line that the process prints. */
  next(): Promise<string>
  kill(): Promise<void>
}

/** Starts a Node process that runs `script`, with `openEmbedded`, `dataDir` and `print` in scope. */
export function spawnScript(dataDir: string, script: string): ScriptProcess {
  const database = pathToFileURL(resolve(EMBEDDED_CACHE, "database.mjs")).href
  const code = `import { openEmbedded } from ${JSON.stringify(database)}
    const dataDir = ${JSON.stringify(dataDir)}
    const print = (text) => new Promise((done) => process.stdout.write(text + "\\n", done))
    ${script}`
  const child = spawn(process.execPath, [...FAST_START, "--input-type=module", "-e", code], {
    stdio: ["pipe", "pipe", "inherit"],
  })
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
  const exited = once(child, "exit")
  process.once("exit", () => child.kill("SIGKILL"))
  return {
    process: child,
    async next() {
      const { value, done } = await lines.next()
      if (done) throw new Error("the process ended without a further line")
      return value
    },
    async kill() {
      child.kill("SIGKILL")
      await exited
    },
  }
}
