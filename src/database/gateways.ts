import { setTimeout as delay } from "node:timers/promises"
import type { Database } from "./_database.ts"

/**
 * This file implements a guarantee of `keys revoke`: once the command returns, every gateway rejects the key.
 *
 * Every gateway that caches keys has a row in majordomo_gateways and renews it with each heartbeat of its listener. A
 * revocation is committed first. Then it sends a numbered question on the same channel, and waits until every gateway
 * that was seen recently has answered that number or a later one. Notifications arrive in the order of their commits,
 * so a gateway that answers has received the revocation before.
 *
 * A gateway that does not answer (because it is frozen or cut off) stops trusting its cache TRUST_MS after its last
 * renewal, by its own clock. The revocation stops waiting for it STALE_MS after that renewal, by the clock of the
 * database. A revocation therefore takes milliseconds as a rule. At worst it takes the time in which a heartbeat
 * notices a dead connection (8 s) plus STALE_MS.
 */
export const KEY_CHANNEL = "majordomo_keys"
export const TRUST_MS = 9_000
const STALE_MS = 12_000
const DELETE_AFTER = "1 day"
const TIMEOUT_MS = 3_000

/**
 * Returns the number of a question, as text; undefined for other payloads of the channel: `*` if all keys changed, else
 * the hash of the key that changed. A question is `?` and its number, as in `?7`.
 */
export function parseQuestion(payload: string): string | undefined {
  return payload.startsWith("?") ? payload.slice(1) : undefined
}

/** The row of one connection of a gateway's listener. A listener that reconnects gets a new row. */
export interface GatewayRow {
  readonly id: string
  /** The number of the latest question that arrived on the connection. */
  readonly heard: string
  /** The id of the previous connection's row. */
  readonly replaces: string | undefined
}

/**
 * Inserts or renews a row. A new row counts as having answered all earlier questions, because the gateway's look-ups
 * from now on see everything that was committed before those questions.
 */
export async function renewGateway(db: Database, { id, heard, replaces }: GatewayRow): Promise<void> {
  await db.query({
    text: `WITH old AS (DELETE FROM majordomo_gateways WHERE id = $3 OR seen_at < clock_timestamp() - $4::interval)
      INSERT INTO majordomo_gateways AS g (id, heard)
      SELECT $1, CASE WHEN is_called THEN last_value ELSE 0 END FROM majordomo_questions
      ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), heard = greatest(g.heard, $2::bigint)`,
    values: [id, heard, replaces, DELETE_AFTER],
    timeoutMs: TIMEOUT_MS,
  })
}

export async function removeGateway(db: Database, id: string): Promise<void> {
  await db.query({ text: "DELETE FROM majordomo_gateways WHERE id = $1", values: [id], timeoutMs: TIMEOUT_MS })
}

/** Resolves when every gateway has applied what was committed before the call, or no longer trusts its cache. */
export async function awaitGateways(db: Database): Promise<void> {
  if ((await countWaiting(db, undefined)) === 0) return
  const { rows } = await db.query<{ question: string }>("SELECT nextval('majordomo_questions')::text AS question")
  const { question } = rows[0]!
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
