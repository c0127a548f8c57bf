import type { Role } from "../../core/actor.ts"
import { hashKey } from "../../core/key.ts"
import type { RunQuery } from "../_database.ts"

const VALID_FOR = "1 minute"

interface NewCode {
  readonly code: string
  readonly role: Role
  readonly createdBy: string
}

/** Stores a sign-in code, which works once within a minute. Returns when it expires. */
export async function insertCode(query: RunQuery, { code, role, createdBy }: NewCode): Promise<Date> {
  await query("DELETE FROM majordomo_sign_in_codes WHERE expires_at < now() - interval '1 day'")
  const { rows } = await query<{ expires_at: Date }>({
    text: `INSERT INTO majordomo_sign_in_codes (code_hash, role, created_by, expires_at)
      VALUES ($1, $2, $3, now() + interval '${VALID_FOR}') RETURNING expires_at`,
    values: [hashKey(code), role, createdBy],
  })
  return rows[0]!.expires_at
}

/** Uses up a code. Returns whose it is; undefined if it is unknown, expired or was used before. Of several calls, one gets it. */
export async function useCode(query: RunQuery, code: string): Promise<{ role: Role; created_by: string } | undefined> {
  const { rows } = await query<{ role: Role; created_by: string }>({
    text: `UPDATE majordomo_sign_in_codes SET used_at = now()
      WHERE code_hash = $1 AND used_at IS NULL AND expires_at > now() RETURNING role, created_by`,
    values: [hashKey(code)],
  })
  return rows[0]
}
