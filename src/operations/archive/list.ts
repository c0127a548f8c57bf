import type { ArchiveStatus } from "../../core/archive-row.ts"
import { type ArchivedDay, listArchivedDays } from "../../database/archive/days.ts"
import type { Context } from "../context.ts"

/** A day of the archive, without the details of its files. */
export interface DaySummary {
  /** In UTC: `2026-11-28`. */
  readonly day: string
  readonly status: ArchiveStatus
  readonly place: string
  /** Rows in the files: the requests of the day, and the rows that stand for lost ones. */
  readonly rows: number
  /** USD as a plain decimal, without subscriptions. */
  readonly cost: string
  readonly bytes: number
  /** Their names. */
  readonly files: readonly string[]
  /** Why the day is not verified, or what the files lack. */
  readonly problem: string | null
  /** ISO 8601. */
  readonly written_at: string
  readonly verified_at: string | null
}

export function toDaySummary(day: ArchivedDay): DaySummary {
  return { ...day, files: day.files.map(({ name }) => name) }
}

/** Returns the days of the archive, the oldest first. */
export async function listArchive({ database }: Context<"database">): Promise<readonly DaySummary[]> {
  return (await listArchivedDays(database.query)).map(toDaySummary)
}
