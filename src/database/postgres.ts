import type { PoolClient, PoolConfig, QueryResult } from "pg"
import type { Database, Query, Result, RunQuery } from "./_database.ts"
import { type Connector, type ConnectorOptions, createConnector } from "./connector.ts"
import { DatabaseTimeout, toErrorCode } from "./failures.ts"
import { openListener } from "./listener.ts"

const TIMEOUT_MS = 30_000
const CLOSE_GRACE_MS = 2_000

interface PostgresDatabaseOptions extends ConnectorOptions {
  readonly kind: Database["kind"]
  readonly title: string
  /** Called once, after the last connection has closed. */
  readonly onClose?: () => Promise<void>
}

/** Creates a Database that uses a pool of connections. It opens a connection when the first statement needs one. */
export function createPostgresDatabase(config: PoolConfig, options: PostgresDatabaseOptions): Database {
  const connector = createConnector(config, options)
  const listeners = new Set<{ close(): Promise<void> }>()
  let closing: Promise<void> | undefined

  const query: RunQuery = async <Row>(statement: Query | string) => {
    const deadline = performance.now() + toTimeout(statement)
    const client = await borrow(connector, deadline, toTimeout(statement))
    let failure: unknown
    try {
      return await ask<Row>(client, toSent(options.kind, statement), deadline - performance.now())
    } catch (error) {
      failure = error
      throw error
    } finally {
      client.release(isBroken(failure))
    }
  }

  const transaction = async <T>(work: (query: RunQuery) => Promise<T>): Promise<T> => {
    const client = await borrow(connector, performance.now() + TIMEOUT_MS, TIMEOUT_MS)
    const run: RunQuery = (statement) => ask(client, toSent(options.kind, statement), toTimeout(statement))
    let failure: unknown
    try {
      await run("BEGIN")
      const value = await work(run)
      const { command } = await commit(client)
      // The server answers COMMIT with ROLLBACK if a statement failed and `work` ignored it.
      if (command === "ROLLBACK")
        throw new Error("the transaction was rolled back because one of its statements failed")
      return value
    } catch (error) {
      failure = error
      if (!isBroken(error)) await run("ROLLBACK").catch((second) => (failure = second))
      throw error
    } finally {
      client.release(isBroken(failure))
    }
  }

  return {
    kind: options.kind,
    title: options.title,
    query,
    transaction,
    listen: async (channel, on) => {
      const listener = await openListener({ connector, channel, query, ...on })
      const handle = {
        close: async () => {
          listeners.delete(handle)
          await listener.close()
        },
      }
      listeners.add(handle)
      return handle
    },
    close: () => {
      closing ??= (async () => {
        await Promise.all([...listeners].map((listener) => listener.close()))
        await connector.end(CLOSE_GRACE_MS)
        await options.onClose?.()
      })()
      return closing
    },
  }
}

function toTimeout(statement: Query | string): number {
  return typeof statement === "string" ? TIMEOUT_MS : (statement.timeoutMs ?? TIMEOUT_MS)
}

/** The embedded database cancels a statement after a time of its own, unless the client says how long it waits. */
function toSent(kind: Database["kind"], statement: Query | string): Query | string {
  const isLong = typeof statement !== "string" && toTimeout(statement) > TIMEOUT_MS
  return kind === "embedded" && isLong
    ? { ...statement, text: `/* timeout: ${statement.timeoutMs} ms */ ${statement.text}` }
    : statement
}

/** Takes a connection from the pool before `deadline`. A connection that comes later goes back to the pool. */
async function borrow(connector: Connector, deadline: number, timeoutMs: number): Promise<PoolClient> {
  const mayMove = connector.beginRound()
  for (;;) {
    const connecting = connector.pool.connect()
    try {
      return await within(connecting, deadline - performance.now(), timeoutMs)
    } catch (error) {
      if (error instanceof DatabaseTimeout) connecting.then((client) => client.release()).catch(() => {})
      if (!connector.switchTls(error) && !mayMove(error)) throw toTimeoutError(error, timeoutMs)
    }
  }
}

function toTimeoutError(error: unknown, timeoutMs: number): unknown {
  return error instanceof Error &&
    /timeout exceeded when trying to connect|due to connection timeout/.test(error.message)
    ? new DatabaseTimeout(timeoutMs)
    : error
}

async function ask<Row>(client: PoolClient, statement: Query | string, timeoutMs: number): Promise<Result<Row>> {
  const { text, values, name } = typeof statement === "string" ? { text: statement } : statement
  const answer = client.query({ text, name, values: values as unknown[] | undefined })
  const result: QueryResult | QueryResult[] = await within(answer, timeoutMs, timeoutMs)
  const last = Array.isArray(result) ? result.at(-1)! : result // a text of several statements gives the rows of the last one
  return { rows: last.rows as Row[], rowCount: last.rowCount ?? 0 }
}

function commit(client: PoolClient): Promise<QueryResult> {
  return within(client.query("COMMIT"), TIMEOUT_MS, TIMEOUT_MS)
}

/** Limits the time in this process: timeouts of the server do not help when it is frozen or the network loses its answers. */
function within<T>(work: Promise<T>, leftMs: number, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DatabaseTimeout(timeoutMs)), Math.max(0, leftMs))
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Whether the connection cannot be used again: after anything but a plain error of a statement its state is not known. */
function isBroken(failure: unknown): boolean {
  if (failure === undefined) return false
  const code = toErrorCode(failure)
  if (failure instanceof DatabaseTimeout) return true
  const isAnswer =
    code !== undefined && /^[0-9A-Z]{5}$/.test(code) && typeof (failure as { severity?: unknown }).severity === "string"
  // 08P01: protocol violation. 25006: the connection leads to a standby. 57P0x: the backend is shutting down.
  return !isAnswer || (failure as { severity: string }).severity !== "ERROR" || /^(08|57P0|25006)/.test(code)
}
