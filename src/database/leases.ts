import type { LeaseItem, LeaseState } from "../core/limit-lease.ts"
import type { Database } from "./_database.ts"
import { retryDeadlocks } from "./locks.ts"

interface LeaseRequest {
  /** A random UUID of the process. */
  readonly gateway: string
  /** The directory of its journal, as in majordomo_gateways. */
  readonly slot: string
  /** The time of the gateway in ms, which decides the window. */
  readonly at: number
  readonly items: readonly LeaseItem[]
}

const TIMEOUT_MS = 5_000

/**
 * Changes the leases of a gateway in one statement, and returns their states. Each lease is first set to what the gateway
 * holds, and then gets up to `wanted` if at least `least` is free. An item whose limit does not exist has no state.
 */
export async function lease(
  db: Pick<Database, "query">,
  { gateway, slot, at, items }: LeaseRequest,
): Promise<readonly LeaseState[]> {
  const query = {
    name: "lease",
    text: `SELECT limit_id AS "limit", value, trim_scale(granted)::text AS granted, trim_scale(used)::text AS used,
        trim_scale(leased)::text AS leased, trim_scale(idle)::text AS idle, trim_scale(amount)::text AS amount,
        (extract(epoch FROM window_start) * 1000)::float8 AS "windowStart",
        (extract(epoch FROM window_end) * 1000)::float8 AS "windowEnd"
      FROM majordomo_lease($1, $2, $3, $4::json)`,
    values: [gateway, slot, new Date(at).toISOString(), JSON.stringify(items)],
    timeoutMs: TIMEOUT_MS,
  }
  const { rows } = await retryDeadlocks(() => db.query<LeaseState & { windowEnd: number | null }>(query))
  return rows.map((row) => ({ ...row, windowEnd: row.windowEnd ?? undefined }))
}

/**
 * Extends the leases of a gateway, each to 15 minutes from now, and returns their number. A lease that has expired is not
 * extended, because its amount may have been granted again.
 */
export async function renewLeases(db: Pick<Database, "query">, gateway: string): Promise<number> {
  const { rows } = await db.query<{ renewed: string }>({
    text: "SELECT majordomo_renew_leases($1) AS renewed",
    values: [gateway],
    timeoutMs: TIMEOUT_MS,
  })
  return Number(rows[0]!.renewed)
}

/**
 * Deletes the leases of a slot, and returns their number. To be called when the rows of its journal are in the database.
 * @param except the process that has the slot now; undefined: none
 */
export async function freeLeasesOfSlot(
  db: Pick<Database, "query">,
  { slot, except }: { readonly slot: string; readonly except: string | undefined },
): Promise<number> {
  const { rows } = await db.query<{ freed: string }>({
    text: "SELECT majordomo_free_leases($1, $2) AS freed",
    values: [slot, except ?? null],
    timeoutMs: TIMEOUT_MS,
  })
  return Number(rows[0]!.freed)
}

/** Returns the gateways that hold leases of a slot: before a new process of it has any, those of its earlier processes. */
export async function listLeaseHolders(db: Pick<Database, "query">, slot: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ gateway: string }>({
    text: "SELECT DISTINCT gateway_id::text AS gateway FROM llm_limit_leases WHERE slot = $1",
    values: [slot],
    timeoutMs: TIMEOUT_MS,
  })
  return rows.map(({ gateway }) => gateway)
}

/** Deletes all leases of a gateway. */
export async function freeLeasesOfGateway(db: Pick<Database, "query">, gateway: string): Promise<void> {
  await db.query({
    text: "DELETE FROM llm_limit_leases WHERE gateway_id = $1",
    values: [gateway],
    timeoutMs: TIMEOUT_MS,
  })
}
