import { Socket } from "node:net"
import { dirname } from "node:path"
import type { PoolConfig } from "pg"
import { CommandError } from "../core/errors.ts"
import { requireAccess } from "../embedded/data-directory.ts"
import { readEndpoint } from "../embedded/endpoint.ts"
import { joinEmbeddedServer, openEmbeddedServer } from "../embedded/open.ts"
import type { Database } from "./_database.ts"
import { createPostgresDatabase } from "./postgres.ts"
import { createReopening } from "./reopening.ts"

export interface EmbeddedOptions {
  readonly dataDir: string
  /** `serve` owns the database. A `command` is a client of the owner, or the owner while it runs. */
  readonly role: "serve" | "command"
  readonly log: (line: string) => void
  /** Returns the error of a command when there is no database. Without it, the database is created. */
  readonly toMissingError?: (dataDir: string) => CommandError
}

const CONNECT_LIMIT_MS = 30_000
/** One backend serves all connections. More of them would only wait in another place. */
const MAX_CONNECTIONS = 5

/** Opens the embedded PostgreSQL of a data directory. Throws `CommandError` that names the process that holds it. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Database> {
  const { dataDir, role } = options
  const open = async () => {
    const opened = await openEmbeddedServer({ ...options, connect: (socket) => connect(dataDir, socket) })
    return opened.kind === "client" ? opened.client : createClient(dataDir, opened.socket, opened.close)
  }
  return role === "serve" ? await open() : createReopening(open)
}

/** Connects to the process that owns the embedded database. Never becomes the owner, even when that process ends. */
export async function joinEmbedded(dataDir: string): Promise<Database> {
  const joined = await joinEmbeddedServer(dataDir, (socket) => connect(dataDir, socket))
  if (joined) return joined
  throw new CommandError(`the embedded database in ${dataDir} does not run`)
}

/**
 * Connects to the embedded database of a running gateway, for a command that runs for long. It does not join another
 * command, because that command could not end before this one does.
 */
export async function joinGateway(dataDir: string): Promise<Database> {
  requireAccess(dataDir)
  const isServed = readEndpoint(dataDir)?.role === "serve"
  const joined = isServed ? await joinEmbedded(dataDir).catch(() => undefined) : undefined
  if (joined) return joined
  throw new CommandError(
    `no gateway runs on the embedded database in ${dataDir}: start one in another terminal with majordomo-gateway serve`,
  )
}

async function connect(dataDir: string, socket: string): Promise<Database> {
  const database = createClient(dataDir, socket)
  try {
    await database.query({ text: "SELECT 1", timeoutMs: CONNECT_LIMIT_MS })
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

function createClient(dataDir: string, socket: string, onClose?: () => Promise<void>): Database {
  const title = `embedded PostgreSQL (${dataDir})`
  return createPostgresDatabase(toPoolConfig(socket), { kind: "embedded", title, onClose })
}

function toPoolConfig(socket: string): PoolConfig {
  const config: PoolConfig = { user: "postgres", database: "postgres", port: 5432, ssl: false, max: MAX_CONNECTIONS }
  if (process.platform !== "win32") return { ...config, host: dirname(socket) }
  // pg does not support named pipes, so every connection that it makes goes to this pipe.
  const stream = () => {
    const pipe = new Socket()
    const connectTo = pipe.connect.bind(pipe) as (options: { path: string }) => Socket
    pipe.connect = () => connectTo({ path: socket })
    return pipe
  }
  return { ...config, stream }
}
