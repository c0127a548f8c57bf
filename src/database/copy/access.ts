import type { Database } from "../_database.ts"
import { listColumns, readAll, write } from "./tables.ts"

/**
 * Copies the admin tokens with their hashes, so that their holders can go on using them. A token that is revoked on either
 * side is revoked. Sessions are not copied: people sign in again.
 */
export async function copyTokens(source: Database, target: Database): Promise<void> {
  await write(
    target,
    `INSERT INTO majordomo_admin_tokens AS t
      SELECT * FROM json_populate_recordset(NULL::majordomo_admin_tokens, $1::json)
      ON CONFLICT (id) DO UPDATE SET revoked_at = coalesce(t.revoked_at, excluded.revoked_at),
        last_used_at = greatest(t.last_used_at, excluded.last_used_at)`,
    [
      await readAll(
        source,
        `SELECT ${await listColumns(target, "majordomo_admin_tokens")} FROM majordomo_admin_tokens`,
      ),
    ],
  )
}

const ENTRIES_AT_ONCE = 1000

/** Copies the audit log. */
export async function copyAudit(source: Database, target: Database): Promise<void> {
  const columns = await listColumns(target, "llm_audit")
  const page = `SELECT ${columns} FROM llm_audit WHERE id > $1 ORDER BY id LIMIT ${ENTRIES_AT_ONCE}`
  for (let after = "00000000-0000-0000-0000-000000000000"; ; ) {
    const entries = await readAll(source, page, [after])
    const { rows } = await target.query<{ last: string | null }>({
      text: `WITH given AS (SELECT * FROM json_populate_recordset(NULL::llm_audit, $1::json)), added AS (
        INSERT INTO llm_audit (${columns}) SELECT ${columns} FROM given ON CONFLICT (id) DO NOTHING
      ) SELECT id AS last FROM given ORDER BY id DESC LIMIT 1`,
      values: [entries],
    })
    if (rows[0] === undefined) return
    after = rows[0].last!
  }
}

/** Copies the prices that were set. Of two for the same model and day, the one that was set last stays. */
export async function copyPriceOverrides(source: Database, target: Database): Promise<void> {
  await write(
    target,
    `INSERT INTO majordomo_price_overrides AS p
      SELECT * FROM json_populate_recordset(NULL::majordomo_price_overrides, $1::json)
      ON CONFLICT (provider, model, valid_from) DO UPDATE
        SET rates = excluded.rates, set_at = excluded.set_at, set_by = excluded.set_by WHERE excluded.set_at > p.set_at`,
    [await readAll(source, "SELECT * FROM majordomo_price_overrides")],
  )
}
