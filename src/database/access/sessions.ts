import type { Role } from "../../core/actor.ts"
import { NotFoundError } from "../../core/errors.ts"
import { generateSecret, hashKey } from "../../core/key.ts"
import { isUuid } from "../../kit/uuid.ts"
import type { Database, RunQuery } from "../_database.ts"

/** A session of the dashboard without its secret, which is not stored. */
export interface StoredSession {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** How the person signed in. */
  readonly how: "token" | "code" | "oidc"
  readonly token_id: string | null
  readonly address: string | null
  readonly created_at: Date
  readonly expires_at: Date
  readonly revoked_at: Date | null
  readonly last_seen_at: Date
}

interface NewSession extends Pick<StoredSession, "name" | "role" | "how" | "token_id" | "address" | "expires_at"> {
  readonly secret: string
}

const COLUMNS = "s.id, s.name, s.role, how, token_id, address, s.created_at, s.expires_at, s.revoked_at, last_seen_at"

/** A session that ended is kept for so long, because the list of sessions shows where people signed in from. */
const KEPT = "30 days"

export async function insertSession(query: RunQuery, session: NewSession): Promise<StoredSession> {
  const { secret, name, role, how, token_id, address, expires_at } = session
  await query(`DELETE FROM majordomo_sessions WHERE expires_at < now() - interval '${KEPT}'`)
  const { rows } = await query<StoredSession>({
    text: `INSERT INTO majordomo_sessions AS s (secret_hash, name, role, how, token_id, address, expires_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
    values: [hashKey(secret), name, role, how, token_id, address, expires_at],
  })
  return rows[0]!
}

/**
 * Returns the session with this secret if it and its token are valid, and notes its use at most once a minute. The answer
 * is never cached, so a session that was ended is rejected at once by every gateway.
 */
export async function findSession(db: Database, secret: string): Promise<StoredSession | undefined> {
  const { rows } = await db.query<StoredSession>({
    text: `WITH seen AS (UPDATE majordomo_sessions SET last_seen_at = now()
        WHERE secret_hash = $1 AND last_seen_at < now() - interval '1 minute')
      SELECT ${COLUMNS} FROM majordomo_sessions s LEFT JOIN majordomo_admin_tokens t ON t.id = token_id
      WHERE secret_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > now()
        AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())`,
    values: [hashKey(secret)],
  })
  return rows[0]
}

/** Returns the sessions of the last 30 days, the newest first. */
export async function readSessions(db: Database): Promise<StoredSession[]> {
  const { rows } = await db.query<StoredSession>(
    `SELECT ${COLUMNS} FROM majordomo_sessions s ORDER BY created_at DESC, id LIMIT 1000`,
  )
  return rows
}

/**
 * Ends a session. Returns it, and whether it had not been ended before.
 *
 * @throws NotFoundError if no session has the id
 */
export async function markSessionRevoked(
  query: RunQuery,
  id: string,
): Promise<{ session: StoredSession; isNew: boolean }> {
  const { rows } = await query<StoredSession & { was_revoked: boolean }>({
    text: `WITH before AS (SELECT id AS session_id, revoked_at IS NOT NULL AS was_revoked FROM majordomo_sessions WHERE id = $1 FOR UPDATE)
      UPDATE majordomo_sessions s SET revoked_at = coalesce(revoked_at, now()) FROM before WHERE s.id = session_id
      RETURNING ${COLUMNS}, was_revoked`,
    values: [isUuid(id) ? id : null],
  })
  if (rows[0] === undefined) throw new NotFoundError("there is no session with this id")
  const { was_revoked: wasRevoked, ...session } = rows[0]
  return { session, isNew: !wasRevoked }
}

/** Returns the key that signs the cookies of this database's sessions, and makes it if there is none. */
export async function readCookieKey(db: Database): Promise<string> {
  const stored = await db.query<{ key: string | null }>("SELECT cookie_key AS key FROM majordomo_schema")
  const key = stored.rows[0]?.key
  if (typeof key === "string") return key
  const made = await db.query<{ key: string }>({
    text: "UPDATE majordomo_schema SET cookie_key = coalesce(cookie_key, $1) RETURNING cookie_key AS key",
    values: [generateSecret()],
  })
  return made.rows[0]!.key
}
