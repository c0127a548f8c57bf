import type { Actor } from "../../core/actor.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import type { Database, RunQuery } from "../_database.ts"

/** A change, as the audit log stores it. `before` and `after` are public forms without secrets. */
interface Change {
  /** What was done, such as `keys.revoke`. */
  readonly action: string
  /** The id or the name of what was changed. */
  readonly target: string | null
  readonly before?: unknown
  readonly after?: unknown
}

/** A row of the audit log. */
export interface AuditRow {
  readonly id: string
  readonly at: Date
  readonly actor_kind: string
  readonly actor_name: string
  readonly actor_id: string | null
  readonly address: string | null
  readonly action: string
  readonly target: string | null
  readonly before: unknown
  readonly after: unknown
}

/** Writes a change into the audit log. Call it in the transaction of the change, so that neither exists without the other. */
export async function recordChange(query: RunQuery, actor: Actor, change: Change): Promise<void> {
  await query({
    text: `INSERT INTO llm_audit (id, actor_kind, actor_name, actor_id, address, action, target, before, after)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    values: [
      uuidV7(Date.now()),
      actor.kind,
      actor.name,
      actor.id,
      actor.address,
      change.action,
      change.target,
      toJson(change.before),
      toJson(change.after),
    ],
  })
}

/** A value of `undefined` or null is stored as NULL. */
function toJson(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value)
}

interface AuditQuestion {
  /** Milliseconds since the epoch; undefined: from the beginning. */
  readonly since: number | undefined
  readonly limit: number
  /** The id of the last row of the page before. */
  readonly after: string | undefined
}

/** Returns one change; undefined if there is none with the id. */
export async function findAuditRow(db: Database, id: string): Promise<AuditRow | undefined> {
  return (await db.query<AuditRow>({ text: "SELECT * FROM llm_audit WHERE id = $1", values: [id] })).rows[0]
}

/** Returns the newest changes first. */
export async function readAudit(db: Database, { since, limit, after }: AuditQuestion): Promise<AuditRow[]> {
  const { rows } = await db.query<AuditRow>({
    text: `SELECT * FROM llm_audit WHERE ($1::timestamptz IS NULL OR at >= $1)
        AND ($2::uuid IS NULL OR (at, id) < (SELECT at, id FROM llm_audit WHERE id = $2))
      ORDER BY at DESC, id DESC LIMIT $3`,
    values: [since === undefined ? null : new Date(since), after ?? null, limit],
  })
  return rows
}
