import { setTimeout as delay } from "node:timers/promises"
import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { explainServerError } from "../../database/failures.ts"
import { askKnown, askNew, askNewest, type Filters, OVERLAP_MS } from "../../reports/index.ts"
import type { RequestRow } from "./row.ts"

const POLL_MS = 500
/** The most rows of one poll. The next poll follows at once if there may be more. */
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
  const follower = createFollower(filters)
  let database: Database | undefined = await connect()
  let isBehind = false
  try {
    yield { type: "rows", rows: await follower.begin(database, first) }
    while (isBehind ? !signal.aborted : await pause(signal)) {
      try {
        if (database === undefined) {
          database = await connect()
          yield { type: "recovered" }
        }
        const rows = await follower.poll(database)
        isBehind = rows.length === MAX_ROWS_PER_POLL
        yield { type: "rows", rows }
      } catch (error) {
        if (!isOutage(error)) throw error
        if (database !== undefined) yield { type: "outage" }
        await database?.close()
        database = undefined
        isBehind = false
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

/** Reads each row once, oldest first. */
function createFollower(filters: Filters) {
  /** When each row ended that was returned, or that was there before; ids older than the overlap are removed. */
  const seen = new Map<string, number>()
  const addSeen = (rows: readonly RequestRow[]) => {
    for (const row of rows) seen.set(String(row["id"]), new Date(row["created_at"] as Date).getTime())
  }
  const findSince = () => {
    const newest = Math.max(...seen.values(), 0)
    return newest === 0 ? 0 : newest - OVERLAP_MS
  }
  return {
    /** Returns the newest `count` rows. The others that are there now are never returned. */
    async begin(database: Database, count: number): Promise<RequestRow[]> {
      // A row that arrives between the two statements is returned now or by the next poll.
      addSeen((await database.query<RequestRow>(askKnown(filters))).rows)
      const { rows } = await database.query<RequestRow>(askNewest({ filters, limit: count }))
      addSeen(rows)
      return rows.reverse()
    },
    async poll(database: Database): Promise<RequestRow[]> {
      const since = findSince()
      for (const [id, at] of seen) if (at < since) seen.delete(id)
      const statement = askNew({ filters, since, seen: [...seen.keys()], limit: MAX_ROWS_PER_POLL })
      const { rows } = await database.query<RequestRow>(statement)
      addSeen(rows)
      return rows
    },
  }
}

/** An error that PostgreSQL reports about the statement or its data is a bug; every other error is an outage. */
function isOutage(error: unknown): boolean {
  if (error instanceof CommandError) return true
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code !== "string" || !/^(22|42)/.test(code)
}
