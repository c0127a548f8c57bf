import { setTimeout as delay } from "node:timers/promises"
import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { explainServerError } from "../../database/failures.ts"
import { askNew, type Filters, OVERLAP_MS } from "../../reports/index.ts"
import type { RequestRow } from "./row.ts"

const POLL_MS = 500
/** The most rows of one poll; older ones are left out. */
export const MAX_ROWS_PER_POLL = 500

interface FollowContext {
  /** Connects to the database, again after an outage. */
  connect(): Promise<Database>
  readonly signal: AbortSignal
}

interface FollowInput {
  readonly filters: Filters
  /** How many of the newest requests to begin with, at most `MAX_ROWS_PER_POLL`. */
  readonly first: number
}

type FollowEvent =
  | {
      readonly type: "rows"
      /** Oldest first. */
      readonly rows: readonly RequestRow[]
      /** There were more new rows than one poll returns. */
      readonly isTruncated: boolean
    }
  | { readonly type: "outage" | "recovered" }

/**
 * Returns new requests as they are written, until the signal aborts. An outage of the gateway or its database does not
 * end it: it connects again.
 *
 * @throws CommandError if the database cannot be reached at the beginning, or has no schema
 */
export async function* followRequests(
  { connect, signal }: FollowContext,
  { filters, first }: FollowInput,
): AsyncGenerator<FollowEvent> {
  const poll = createPoll(filters)
  let database: Database | undefined = await connect()
  try {
    const newest = await poll(database, Math.max(1, first))
    yield { type: "rows", rows: first === 0 ? [] : newest.slice(-first), isTruncated: false }
    while (await pause(signal)) {
      try {
        if (database === undefined) {
          database = await connect()
          yield { type: "recovered" }
        }
        const rows = await poll(database, MAX_ROWS_PER_POLL)
        yield { type: "rows", rows, isTruncated: rows.length === MAX_ROWS_PER_POLL }
      } catch (error) {
        if (!isOutage(error)) throw error
        if (database !== undefined) yield { type: "outage" }
        await database?.close()
        database = undefined
      }
    }
  } catch (error) {
    throw explainServerError(error)
  } finally {
    await database?.close()
  }
}

/** Waits until the next poll; returns false if the signal has aborted. */
async function pause(signal: AbortSignal): Promise<boolean> {
  await delay(POLL_MS, undefined, { signal }).catch(() => {})
  return !signal.aborted
}

/** Returns a function that reads the rows that it has not returned before, oldest first. */
function createPoll(filters: Filters) {
  /** When each returned request ended, by id; ids older than the overlap are removed. */
  const seen = new Map<string, number>()
  return async (database: Database, limit: number): Promise<RequestRow[]> => {
    const newest = Math.max(...seen.values(), 0)
    const since = newest === 0 ? 0 : newest - OVERLAP_MS
    for (const [id, at] of seen) if (at < since) seen.delete(id)
    const { rows } = await database.query<RequestRow>(askNew({ filters, since, seen: [...seen.keys()], limit }))
    for (const row of rows) seen.set(String(row["id"]), new Date(row["created_at"] as Date).getTime())
    return rows.reverse()
  }
}

/** An error that PostgreSQL reports about the statement or its data is a bug; every other error is an outage. */
function isOutage(error: unknown): boolean {
  if (error instanceof CommandError) return true
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code !== "string" || !/^(22|42)/.test(code)
}
