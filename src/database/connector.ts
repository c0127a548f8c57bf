import type { EventEmitter } from "node:events"
import type { Socket } from "node:net"
import pg from "pg"
import { DatabaseTimeout, toErrorCode } from "./failures.ts"
import { createHostList, type Host, requirePrimary, toHostOptions } from "./hosts.ts"
import { prepareSession } from "./session.ts"

/** `plain`: try TLS first, then a connection without it, if the server has none or wants none. `tls`: the reverse. */
export type TlsFallback = "plain" | "tls"

export interface ConnectorOptions {
  readonly tlsFallback?: TlsFallback | undefined
  /** Accept only a server that proves that no one is between it and us (SCRAM-SHA-256-PLUS). */
  readonly requireChannelBinding?: boolean
  /** The schema of the gateway's tables. Default: see `prepareSession`. */
  readonly schema?: string | undefined
  /** The servers, of which one accepts writes. Default: that of the configuration. */
  readonly hosts?: readonly Host[] | undefined
}

/** Opens connections that have the options of this program. */
export interface Connector {
  readonly pool: pg.Pool
  /** Opens a connection outside of the pool. */
  connect(timeoutMs: number): Promise<pg.Client>
  /**
   * Decides after a failed attempt to connect whether to use TLS, if TLS is only preferred. Returns true when
   * another attempt, with the other choice, may succeed.
   */
  switchTls(error: unknown): boolean
  /**
   * Returns a function that takes the error of a failed attempt. It returns true if another server may accept the
   * connection, until all have been tried once.
   */
  beginRound(): (error: unknown) => boolean
  /** Ends the pool. Connections that do not close within `graceMs` are aborted, because the server may not answer. */
  end(graceMs: number): Promise<void>
}

export function createConnector(
  config: pg.PoolConfig,
  { tlsFallback, requireChannelBinding = false, schema, hosts = [] }: ConnectorOptions = {},
): Connector {
  const common: pg.PoolConfig = {
    application_name: "majordomo-gateway",
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser },
    ...toHostOptions(hosts),
    ...config,
    ...(tlsFallback === "tls" && { ssl: false }),
  }
  // Clients are registered when they are created: one that is still connecting to a server that does not answer would
  // delay the end of the pool too.
  const open = new Set<pg.Client>()
  const { OwnClient, TrackedClient } = createClients(requireChannelBinding, open)
  const list = createHostList(hosts)
  const prepare = async (client: pg.ClientBase) => {
    if (list.hasSeveral) await requirePrimary(client)
    await prepareSession(client, schema)
  }
  const pool = new pg.Pool({ ...common, Client: TrackedClient, onConnect: prepare } as pg.PoolConfig)
  // pg emits the errors of idle connections, and the process ends if there is no listener. The pool has removed a
  // broken connection by then, and the next statement opens a new one.
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))

  const beginRound = () => list.beginRound((next) => void Object.assign(pool.options, next))

  const connect = async (timeoutMs: number, mayMove = beginRound()): Promise<pg.Client> => {
    const { ssl, host, port } = pool.options
    const at = list.hasSeveral ? { host, port } : {}
    const client = new OwnClient({ ...common, ...at, ssl, connectionTimeoutMillis: timeoutMs })
    client.on("error", () => {})
    try {
      await client.connect()
      await prepare(client)
      return client
    } catch (error) {
      client.end().catch(() => {})
      if (switchTls(error) || mayMove(error)) return connect(timeoutMs, mayMove)
      throw error instanceof Error && /timeout/i.test(error.message) ? new DatabaseTimeout(timeoutMs) : error
    }
  }

  const switchTls = (error: unknown): boolean => {
    if (tlsFallback === undefined) return false
    const message = error instanceof Error ? error.message : ""
    const wantsPlain =
      /does not support SSL/.test(message) || (toErrorCode(error) === "28000" && /SSL (on|encryption)/.test(message))
    const wantsTls = toErrorCode(error) === "28000" && /no encryption|SSL off/.test(message)
    const isTls = pool.options.ssl !== false
    if (isTls ? !(wantsPlain && !wantsTls) : !wantsTls) return false
    pool.options.ssl = isTls ? false : config.ssl
    return true
  }

  return { pool, connect, switchTls, beginRound, end: (graceMs) => endPool(pool, open, graceMs) }
}

async function endPool(pool: pg.Pool, open: ReadonlySet<pg.Client>, graceMs: number): Promise<void> {
  const clients = [...open].filter((client) => !toSocket(client).closed)
  const timer = setTimeout(() => clients.forEach(abortConnection), graceMs)
  await pool.end()
  // The pool removes its clients at once; their sockets take a moment to close.
  await Promise.all(clients.map(untilClosed))
  clearTimeout(timer)
}

/** Returns the classes of clients outside of the pool and in it, where they are registered in `open`. */
function createClients(requireChannelBinding: boolean, open: Set<pg.Client>) {
  class OwnClient extends pg.Client {
    constructor(settings?: pg.ClientConfig) {
      super(settings)
      if (requireChannelBinding) rejectUnboundServer(this)
    }
  }
  class TrackedClient extends OwnClient {
    constructor(settings?: pg.ClientConfig) {
      super(settings)
      open.add(this)
      this.once("end", () => open.delete(this))
    }
  }
  return { OwnClient, TrackedClient }
}

/** Ends a connection whose server asks for the password, or accepts the client, without a channel binding. */
function rejectUnboundServer(client: pg.ClientBase): void {
  const { connection } = client as unknown as { connection: EventEmitter }
  let isBound = false
  const reject = () => {
    const error = new Error("the server offers no channel binding, and channel_binding is require")
    connection.removeAllListeners("readyForQuery") // It may be on its way, and would open the client after all.
    connection.emit("error", Object.assign(error, { code: "28000" }))
    toSocket(client).destroy()
  }
  // The client's own listeners, which would send the password, come later.
  connection.prependListener("authenticationSASL", ({ mechanisms }: { readonly mechanisms: readonly string[] }) => {
    isBound = mechanisms.includes("SCRAM-SHA-256-PLUS")
    if (!isBound) reject()
  })
  for (const other of ["authenticationCleartextPassword", "authenticationMD5Password"])
    connection.prependListener(other, reject)
  connection.prependListener("authenticationOk", () => void (isBound || reject()))
}

/** Closes a connection without waiting for a server that may not answer. */
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

const AS_TEXT = new Set<number>([
  pg.types.builtins.DATE, // a Date would depend on the time zone of this process
  pg.types.builtins.TIMESTAMP,
  pg.types.builtins.NUMERIC,
  pg.types.builtins.INT8,
])

/**
 * Keeps money and 64-bit counts as text, because a JavaScript number would round them; and dates without a time zone.
 */
function getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  return AS_TEXT.has(oid)
    ? (value) => value
    : (pg.types.getTypeParser(oid, format as "text") as (value: string) => unknown)
}
