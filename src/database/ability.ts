import type { RunQuery } from "./_database.ts"
import { findAlterations } from "./alterations.ts"

/** Whether a database that answers can also store rows, and count them. */
export interface Ability {
  /** It replays another server, and accepts no writes until it is promoted. */
  readonly isStandby: boolean
  /** Where `default_transaction_read_only` is turned on, such as `database` or `configuration file`; undefined if it is off. */
  readonly readOnlyBy: string | undefined
  /** The gateway's triggers that do not run. Rows are stored without them, but reports and the use of keys are wrong. */
  readonly idleTriggers: readonly string[]
  /** The parts of the schema that are missing, or differ from what the migrations made. See `findAlterations`. */
  readonly alterations: readonly string[]
}

interface AbilityRow {
  readonly is_standby: boolean
  readonly read_only_by: string | null
  readonly idle_triggers: string[]
}

/** Reads the ability of a database. It takes a few milliseconds. */
export async function readAbility(query: RunQuery, timeoutMs?: number): Promise<Ability> {
  const { rows } = await query<AbilityRow>({ text: ABILITY, ...(timeoutMs !== undefined && { timeoutMs }) })
  const { is_standby: isStandby, read_only_by: by, idle_triggers: idleTriggers } = rows[0]!
  const alterations = await findAlterations(query, timeoutMs)
  return { isStandby, readOnlyBy: by ?? undefined, idleTriggers, alterations }
}

/** A trigger runs in the role `replica` if it is enabled for it or always, and else unless it is only for `replica`. */
const ABILITY = `SELECT pg_is_in_recovery() AS is_standby,
    (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on') AS read_only_by,
    ARRAY (SELECT DISTINCT t.tgname::text FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
      WHERE p.proname LIKE 'majordomo\\_%' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('llm_requests'))
        AND t.tgenabled NOT IN ('A', CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END)
      ORDER BY 1) AS idle_triggers`

/** Returns why a database accepts no rows, and what to do; undefined if it accepts them. */
export function explainReadOnly({ isStandby, readOnlyBy }: Ability): { reason: string; fix: string } | undefined {
  if (isStandby)
    return { reason: "it is a standby, which accepts no writes", fix: "connect to the primary, or promote it" }
  if (readOnlyBy === undefined) return undefined
  return {
    reason: `it accepts no writes, because default_transaction_read_only is on (set by: ${readOnlyBy})`,
    fix: "turn it off: ALTER DATABASE NAME RESET default_transaction_read_only, or the same with ALTER ROLE",
  }
}
