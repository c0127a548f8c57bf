import type pg from "pg"
import { toErrorCode } from "./failures.ts"

/** One server of a database. A host that begins with `/` is the directory of a Unix socket. */
export interface Host {
  readonly host: string
  readonly port: number
}

/** With several servers, one that does not answer must not take the time of the others. */
const CONNECT_TIMEOUT_MS = 3_000

/** The servers of a database, of which one accepts writes at a time, as libpq knows them (`postgres://a,b/name`). */
interface HostList {
  readonly hasSeveral: boolean
  /**
   * Returns a function that takes the error of a failed attempt at the current server. It makes the next server the current
   * one, unless another attempt has done so, and returns true if it should be tried, until all have been tried once.
   */
  beginRound(onMove: (next: Host) => void): (error: unknown) => boolean
}

export function createHostList(hosts: readonly Host[]): HostList {
  const hasSeveral = hosts.length > 1
  let at = 0
  return {
    hasSeveral,
    beginRound(onMove) {
      let from = at
      let left = hosts.length - 1
      return (error) => {
        if (!hasSeveral || !isWorthAnother(error)) return false
        if (from === at) {
          at = (at + 1) % hosts.length
          onMove(hosts[at]!)
        }
        from = at
        return left-- > 0
      }
    },
  }
}

/** Returns the options of connections if there are several servers. */
export function toHostOptions(hosts: readonly Host[] | undefined): pg.PoolConfig {
  return hosts !== undefined && hosts.length > 1 ? { connectionTimeoutMillis: CONNECT_TIMEOUT_MS } : {}
}

/**
 * Whether another server may accept a connection that this one did not: it cannot be reached, is starting or stopping, or
 * accepts no writes. A password that is wrong here is wrong there, too.
 */
function isWorthAnother(error: unknown): boolean {
  const code = toErrorCode(error)
  // EPIPE is no SQLSTATE: those have a digit.
  return code === undefined || !/^(?=.*\d)[0-9A-Z]{5}$/.test(code) || /^(?:08|25006|53300|57P0)/.test(code)
}

/** @throws Error with the code 25006 if a server accepts no writes, because it is a standby */
export async function requirePrimary(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query("SELECT current_setting('transaction_read_only') AS read_only")
  if (rows[0]?.read_only !== "on") return
  throw Object.assign(new Error("the server accepts no writes"), { code: "25006", severity: "ERROR" })
}
