import type { Role } from "../../core/actor.ts"
import { NotFoundError } from "../../core/errors.ts"
import { hashKey } from "../../core/key.ts"
import { isUuid } from "../../kit/uuid.ts"
import type { Database, RunQuery } from "../_database.ts"

/** An admin token without its secret, which is not stored. */
export interface AdminToken {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly created_at: Date
  readonly created_by: string
  readonly expires_at: Date | null
  readonly revoked_at: Date | null
  readonly last_used_at: Date | null
}

interface NewToken {
  readonly secret: string
  readonly name: string
  readonly role: Role
  readonly createdBy: string
  readonly expiresAt: Date | null
}

const COLUMNS = "id, name, role, created_at, created_by, expires_at, revoked_at, last_used_at"

export async function insertToken(query: RunQuery, token: NewToken): Promise<AdminToken> {
  const { rows } = await query<AdminToken>({
    text: `INSERT INTO majordomo_admin_tokens (token_hash, name, role, created_by, expires_at)
      VALUES ($1, $2, $3, $4, $5) RETURNING ${COLUMNS}`,
    values: [hashKey(token.secret), token.name, token.role, token.createdBy, token.expiresAt],
  })
  return rows[0]!
}

/** Deletes a token that could not be shown to anybody. Returns whether there was one. */
export async function deleteToken(query: RunQuery, secret: string): Promise<boolean> {
  const { rowCount } = await query({
    text: "DELETE FROM majordomo_admin_tokens WHERE token_hash = $1",
    values: [hashKey(secret)],
  })
  return rowCount > 0
}

/** Returns all tokens, the oldest first. */
export async function readTokens(db: Pick<Database, "query">): Promise<AdminToken[]> {
  const { rows } = await db.query<AdminToken>(`SELECT ${COLUMNS} FROM majordomo_admin_tokens ORDER BY created_at, id`)
  return rows
}

/**
 * Revokes a token, and ends the sessions of those who signed in with it. Returns it before and after.
 *
 * @throws NotFoundError if no token has the id
 */
export async function markTokenRevoked(
  query: RunQuery,
  id: string,
): Promise<{ readonly before: AdminToken; readonly after: AdminToken }> {
  const before = isUuid(id)
    ? (
        await query<AdminToken>({
          text: `SELECT ${COLUMNS} FROM majordomo_admin_tokens WHERE id = $1 FOR UPDATE`,
          values: [id],
        })
      ).rows[0]
    : undefined
  if (before === undefined) throw new NotFoundError("there is no admin token with this id: see tokens list")
  const { rows } = await query<AdminToken>({
    text: `UPDATE majordomo_admin_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING ${COLUMNS}`,
    values: [id],
  })
  await query({
    text: "UPDATE majordomo_sessions SET revoked_at = now() WHERE token_id = $1 AND revoked_at IS NULL",
    values: [id],
  })
  return { before, after: rows[0]! }
}

/**
 * Returns the token with this secret, if it is valid, and notes its use at most once a minute. The answer is never
 * cached, so a revoked token is rejected at once by every gateway.
 */
export async function findToken(db: Database, secret: string): Promise<AdminToken | undefined> {
  const { rows } = await db.query<AdminToken>({
    text: `WITH used AS (UPDATE majordomo_admin_tokens SET last_used_at = now()
        WHERE token_hash = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute'))
      SELECT ${COLUMNS} FROM majordomo_admin_tokens
      WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
    values: [hashKey(secret)],
  })
  return rows[0]
}
