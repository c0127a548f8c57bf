import { NotFoundError } from "../../core/errors.ts"
import { type AuditRow, findAuditRow, readAudit } from "../../database/access/audit.ts"
import type { Context } from "../context.ts"

/** A change as JSON shows it. */
interface AuditEntry extends Omit<AuditRow, "at"> {
  /** ISO 8601 in UTC. */
  readonly at: string
}

interface AuditQuestion {
  /** Milliseconds since the epoch; undefined: from the beginning. */
  readonly since: number | undefined
  readonly limit: number
  /** The `next` of the page before. */
  readonly cursor: string | undefined
}

interface AuditPage {
  readonly items: readonly AuditEntry[]
  /** The cursor of the next page; null if this is the last one. */
  readonly next: string | null
}

/** Lists who changed what, the newest first. */
export async function listAudit(
  { database }: Context<"database">,
  { since, limit, cursor }: AuditQuestion,
): Promise<AuditPage> {
  const rows = await readAudit(database, { since, limit: limit + 1, after: cursor })
  const items = rows.slice(0, limit).map(toEntry)
  return { items, next: rows.length > limit ? items.at(-1)!.id : null }
}

/**
 * Returns one change.
 *
 * @throws NotFoundError if there is none with the id
 */
export async function getAuditEntry(
  { database }: Context<"database">,
  { id }: { readonly id: string },
): Promise<AuditEntry> {
  const row = await findAuditRow(database, id)
  if (row !== undefined) return toEntry(row)
  throw new NotFoundError(`the audit log has no entry ${id}`)
}

function toEntry(row: AuditRow): AuditEntry {
  return { ...row, at: row.at.toISOString() }
}
