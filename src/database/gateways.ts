import { setTimeout as delay } from "node:timers/promises"
import type { Database } from "./_database.ts"

/**
 * How `keys revoke` can promise that a key is refused everywhere once it returns.
 *
 * Every gateway that remembers keys has a row in majordomo_gateways and renews it with each heartbeat of its LISTEN
 * line. Who revokes commits, then asks a numbered question on the same channel and waits until every gateway seen of
 * late has answered that number or a later one. Notifications arrive in the order of their commits, so who answers has
 * heard of the revocation before. A gateway that does not answer (frozen, cut off) stops trusting its memory
 * TRUST_MS after its last renewal, by its own clock, and is no longer waited for STALE_MS after it, by the database's.
 *
 * So: milliseconds as a rule; at worst a heartbeat to notice the dead line (8 s) and STALE_MS more.
 */
export const KEY_CHANNEL = "majordomo_keys"
export const TRUST_MS = 9_000
const STALE_MS = 12_000
const FORGOTTEN_AFTER = "1 day"
const TIMEOUT_MS = 3_000

/** Payloads of the channel: `*` all keys changed, `?7` question 7, else the hash of a key that changed. */
export function parseQuestion(payload: string): string | undefined {
  return payload.startsWith("?") ? payload.slice(1) : undefined
}

/** The row of one LISTEN line; a line that comes back is another. */
export interface GatewayRow {
  readonly id: string
  /** The latest question that was heard on the line. */
  readonly heard: string
  /** The row of the line before. */
  readonly replaces: string | undefined
}

/**
 * Enters or renews a row. A new one counts as having answered all earlier questions, for what is looked up from now on
 * is what was committed before them.
 */
export async function renewGateway(db: Database, { id, heard, replaces }: GatewayRow): Promise<void> {
  await db.query({
    text: `WITH old AS (DELETE FROM majordomo_gateways WHERE id = $3 OR seen_at < clock_timestamp() - $4::interval)
      INSERT INTO majordomo_gateways AS g (id, heard)
      SELECT $1, CASE WHEN is_called THEN last_value ELSE 0 END FROM majordomo_questions
      ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), heard = greatest(g.heard, $2::bigint)`,
    values: [id, heard, replaces, FORGOTTEN_AFTER],
    timeoutMs: TIMEOUT_MS,
  })
}

export async function removeGateway(db: Database, id: string): Promise<void> {
  await db.query({ text: "DELETE FROM majordomo_gateways WHERE id = $1", values: [id], timeoutMs: TIMEOUT_MS })
}

/** Resolves when every gateway knows what was committed before, or does not trust its memory any more. */
export async function awaitGateways(db: Database): Promise<void> {
  if ((await countWaiting(db, undefined)) === 0) return
  const asked = await db.query<{ question: string }>("SELECT nextval('majordomo_questions')::text AS question")
  const { question } = asked.rows[0]!
  await db.query({ text: "SELECT pg_notify($1, $2)", values: [KEY_CHANNEL, `?${question}`] })
  for (let pauseMs = 5; (await countWaiting(db, question)) > 0; pauseMs = Math.min(pauseMs * 2, 250))
    await delay(pauseMs)
}

async function countWaiting(db: Database, question: string | undefined): Promise<number> {
  const { rows } = await db.query<{ waiting: number }>({
    text: `SELECT count(*)::int AS waiting FROM majordomo_gateways
      WHERE seen_at > clock_timestamp() - make_interval(secs => $1) AND ($2::bigint IS NULL OR heard < $2::bigint)`,
    values: [STALE_MS / 1000, question],
  })
  return rows[0]!.waiting
}
