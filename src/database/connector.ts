import type { Socket } from "node:net"
import pg from "pg"
import { DatabaseTimeout, toErrorCode } from "./failures.ts"

export interface ConnectorOptions {
  /** TLS if the server has it, else plain. */
  readonly preferTls?: boolean
}

/**
 * Makes connections that carry our settings. With `preferTls` it learns from the server's answer whether to speak TLS:
 * `learn(error)` says true when another attempt, now the other way, is worth it.
 */
export interface Connector {
  readonly pool: pg.Pool
  /** A connection outside of the pool. */
  connect(timeoutMs: number): Promise<pg.Client>
  learn(error: unknown): boolean
  /** Ends the pool: in peace within `graceMs`, for a server that does not answer would never close its side. */
  end(graceMs: number): Promise<void>
}

export function createConnector(config: pg.PoolConfig, { preferTls = false }: ConnectorOptions = {}): Connector {
  const common: pg.PoolConfig = {
    application_name: "majordomo-gateway",
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser },
    ...config,
  }
  // Told from their making on: one that is still connecting to a server that does not answer holds up an end as well.
  const open = new Set<pg.Client>()
  class OwnClient extends pg.Client {
    constructor(settings?: pg.ClientConfig) {
      super(settings)
      open.add(this)
      this.once("end", () => open.delete(this))
    }
  }
  const pool = new pg.Pool({ ...common, Client: OwnClient, onConnect: prepare } as pg.PoolConfig)
  // pg throws errors of idle connections at whoever listens, and ends the process if nobody does. A broken connection
  // has left the pool by then; the next statement makes a new one.
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))

  const connect = async (timeoutMs: number): Promise<pg.Client> => {
    const ssl = pool.options.ssl
    const client = new pg.Client({ ...common, ssl, connectionTimeoutMillis: timeoutMs })
    client.on("error", () => {})
    try {
      await client.connect()
      return client
    } catch (error) {
      client.end().catch(() => {})
      if (learn(error)) return connect(timeoutMs)
      throw error instanceof Error && /timeout/i.test(error.message) ? new DatabaseTimeout(timeoutMs) : error
    }
  }

  const learn = (error: unknown): boolean => {
    if (!preferTls) return false
    const message = error instanceof Error ? error.message : ""
    const wantsPlain =
      /does not support SSL/.test(message) || (toErrorCode(error) === "28000" && /SSL (on|encryption)/.test(message))
    const wantsTls = toErrorCode(error) === "28000" && /no encryption|SSL off/.test(message)
    const isTls = pool.options.ssl !== false
    if (isTls ? !(wantsPlain && !wantsTls) : !wantsTls) return false
    pool.options.ssl = isTls ? false : config.ssl
    return true
  }

  const end = async (graceMs: number) => {
    const clients = [...open].filter((client) => !toSocket(client).closed)
    const timer = setTimeout(() => clients.forEach(abortConnection), graceMs)
    await pool.end()
    // The pool forgets its clients at once; their sockets take a moment.
    await Promise.all(clients.map(untilClosed))
    clearTimeout(timer)
  }

  return { pool, connect, learn, end }
}

/** Ends a connection without waiting for a server that may not answer. */
export function abortConnection(client: pg.ClientBase): void {
  toSocket(client).destroy()
}

function untilClosed(client: pg.ClientBase): Promise<void> {
  const socket = toSocket(client)
  return socket.closed ? Promise.resolve() : new Promise((resolve) => void socket.once("close", () => resolve()))
}

function toSocket(client: pg.ClientBase): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream
}

/**
 * A statement whose client is gone (a timeout of ours, a killed gateway) would else wait on in the server for a lock.
 * Not as a startup option, which poolers refuse; servers before 14 and the embedded engine do not know it.
 */
async function prepare(client: pg.ClientBase): Promise<void> {
  await client.query("SET client_connection_check_interval = '5s'").catch(() => {})
}

const AS_TEXT = new Set<number>([
  pg.types.builtins.DATE, // no time zone of ours may move a day
  pg.types.builtins.TIMESTAMP,
  pg.types.builtins.NUMERIC,
  pg.types.builtins.INT8,
])

/** Money and 64-bit counts stay text, for a JavaScript number would round them; so do dates without a time zone. */
function getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  return AS_TEXT.has(oid)
    ? (value) => value
    : (pg.types.getTypeParser(oid, format as "text") as (value: string) => unknown)
}
