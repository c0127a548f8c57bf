import { chmodSync, mkdirSync, statSync } from "node:fs"
import { Socket } from "node:net"
import { dirname } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import type { PoolConfig } from "pg"
import { CommandError } from "../core/errors.ts"
import type { Database } from "../database/_database.ts"
import { createPostgresDatabase } from "../database/postgres.ts"
import { acquireLock, type Lock } from "../kit/lock.ts"
import { findAssets } from "./assets.ts"
import {
  type Endpoint,
  findListeningSocket,
  makeSocketPath,
  readEndpoint,
  removeEndpoint,
  writeEndpoint,
} from "./endpoint.ts"
import { createReopening } from "./reopening.ts"
import { prepareCluster } from "./seed.ts"
import { startEmbeddedServer } from "./server.ts"

export interface EmbeddedOptions {
  readonly dataDir: string
  /** `serve` owns the database; a `command` is a client of whoever owns it, else its owner for as long as it runs. */
  readonly role: "serve" | "command"
  readonly log: (line: string) => void
}

const PATIENCE_MS = 30_000
const RETRY_MS = 100
/** A `serve` that still holds the directory after this is one that stays. */
const SURE_MS = 250
/** One backend serves them all: more connections would only wait in another place. */
const MAX_CONNECTIONS = 5
/** How long clients may finish when the owner closes: other commands joined a command, and expect to end in peace. */
const GRACE_MS = { serve: 2_000, command: 15_000 } as const

/** Opens the PostgreSQL of a data directory. Throws `CommandError` that names the owner when it cannot be had. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Database> {
  prepareDirectory(options.dataDir)
  return options.role === "serve" ? await openOrConnect(options) : createReopening(() => openOrConnect(options))
}

/** A client of the owner that runs; never the owner itself, even when that one ends. */
export async function joinEmbedded(dataDir: string): Promise<Database> {
  const joined = await join({ dataDir })
  if (joined) return joined
  throw new CommandError(`the embedded database in ${dataDir} does not run`)
}

async function openOrConnect(options: EmbeddedOptions): Promise<Database> {
  const { dataDir, role } = options
  const startedAt = performance.now()
  let seen: { readonly owner: Endpoint; readonly at: number } | undefined
  for (;;) {
    if (role === "command") {
      const joined = await join(options)
      if (joined) return joined
    }
    const lock = await acquireLock(dataDir)
    if (lock) return await own(options, lock)

    const owner = readEndpoint(dataDir)
    const now = performance.now()
    if (owner?.pid !== seen?.owner.pid || owner?.since !== seen?.owner.since) seen = owner && { owner, at: now }
    const isServed = role === "serve" && seen?.owner.role === "serve" && now - seen.at > SURE_MS
    if (isServed || now - startedAt > PATIENCE_MS) throw toTakenError(dataDir, owner)
    await delay(RETRY_MS)
  }
}

/** A client of the owner, if one answers. */
async function join({ dataDir }: Pick<EmbeddedOptions, "dataDir">): Promise<Database | undefined> {
  const socket = await findListeningSocket(dataDir)
  if (!socket) return undefined
  const database = createPostgresDatabase(toPoolConfig(socket), { kind: "embedded", title: toTitle(dataDir) })
  try {
    await database.query({ text: "SELECT 1", timeoutMs: PATIENCE_MS })
    return database
  } catch {
    // It ended between the two: the next round finds its successor, or becomes it.
    await database.close()
    return undefined
  }
}

async function own({ dataDir, role, log }: EmbeddedOptions, lock: Lock): Promise<Database> {
  try {
    removeEndpoint(dataDir)
    const socket = makeSocketPath(dataDir)
    writeEndpoint(dataDir, {
      pid: process.pid,
      role,
      command: toCommand(role),
      since: new Date().toISOString(),
      socket,
    })
    const { workerUrl, seedFile } = findAssets()
    const directory = await prepareCluster({ dataDir, seedFile, workerUrl, log })
    const server = await startEmbeddedServer({ workerUrl, directory, socket, log })
    const onClose = async () => {
      await server.close(GRACE_MS[role])
      removeEndpoint(dataDir)
      await lock.release()
    }
    return createPostgresDatabase(toPoolConfig(socket), { kind: "embedded", title: toTitle(dataDir), onClose })
  } catch (error) {
    removeEndpoint(dataDir)
    await lock.release()
    throw error
  }
}

/** Only its owner may look into the directory: PGlite makes files that others could read. */
function prepareDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    const { mode } = statSync(dataDir)
    if (process.platform === "win32") return
    if (mode & 0o1000) throw new Error("it is shared by all users; name a directory of its own")
    if (mode & 0o077) chmodSync(dataDir, 0o700)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CommandError(`storage.data_dir: cannot use ${dataDir}: ${code ?? message}`)
  }
}

function toPoolConfig(socket: string): PoolConfig {
  const config: PoolConfig = { user: "postgres", database: "postgres", port: 5432, ssl: false, max: MAX_CONNECTIONS }
  if (process.platform !== "win32") return { ...config, host: dirname(socket) }
  // pg itself knows no named pipes: whatever it wants to connect to, it is the pipe.
  const stream = () => {
    const pipe = new Socket()
    const connect = pipe.connect.bind(pipe) as (options: { path: string }) => Socket
    pipe.connect = () => connect({ path: socket })
    return pipe
  }
  return { ...config, stream }
}

const toTitle = (dataDir: string): string => `embedded PostgreSQL (${dataDir})`

/** The words of the command, without options and what follows them. */
function toCommand(role: EmbeddedOptions["role"]): string {
  const words = process.argv.slice(2, 4)
  const end = words.findIndex((word) => !/^[a-z-]+$/.test(word) || word.startsWith("-"))
  return words.slice(0, end < 0 ? words.length : end).join(" ") || role
}

function toTakenError(dataDir: string, owner: Endpoint | undefined): CommandError {
  if (!owner) return new CommandError(`the embedded database in ${dataDir} is held by another process: stop it first`)
  const who = `\`${owner.command}\`, process ${owner.pid}, since ${owner.since}`
  return owner.role === "serve"
    ? new CommandError(
        `the embedded database in ${dataDir} is in use by a running gateway (${who}): stop it, or set storage.data_dir to another directory`,
      )
    : new CommandError(`the embedded database in ${dataDir} is in use (${who}): try again when it has ended`)
}
