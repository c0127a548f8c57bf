import { type ArchiveColumn, type ArchiveRow, listArchiveColumns, type RowPosition } from "../../core/archive-row.ts"
import type { Database } from "../_database.ts"

/** The table, or the view, that has all columns of a request. */
const REQUESTS = "llm_requests_full"

const ROWS_PER_PAGE = 2_000
/** A page of rows with bodies may have 128 KiB in each row. */
const ROWS_PER_PAGE_WITH_BODIES = 100
const TIMEOUT_MS = 10 * 60_000

interface RowRange {
  /** A day in UTC: `2026-11-28`. */
  readonly day: string
  /** Rows after this one; undefined: from the start of the day. */
  readonly from: RowPosition | undefined
  /** Rows up to this one; null: to the end of the day. */
  readonly to: RowPosition | null
  readonly bodies: boolean
}

/**
 * Yields the rows of a day that the archive began with, in the order of `created_at` and `id`, a page per statement. Rows
 * that came later are in `llm_archive_late`, so each call yields the same rows however often it is repeated.
 */
export function readDayRows(db: Database, range: RowRange): AsyncGenerator<ArchiveRow> {
  return readPages(db, range, "NOT EXISTS (SELECT FROM llm_archive_late l WHERE l.id = r.id)", [])
}

/** Yields the rows of one extra file of a day, in the same order. */
export function readLateRows(
  db: Database,
  { day, file, bodies }: { readonly day: string; readonly file: string; readonly bodies: boolean },
): AsyncGenerator<ArchiveRow> {
  const condition = "r.id IN (SELECT l.id FROM llm_archive_late l WHERE l.day = $1 AND l.file = $7)"
  return readPages(db, { day, bodies, from: undefined, to: null }, condition, [file])
}

const START: RowPosition = { at: "0", id: "00000000-0000-0000-0000-000000000000" }
const END_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
const DAY_MICROS = 86_400_000_000

async function* readPages(
  db: Database,
  { day, from, to, bodies }: RowRange,
  condition: string,
  more: readonly unknown[],
): AsyncGenerator<ArchiveRow> {
  const columns = listArchiveColumns({ bodies })
  const limit = bodies ? ROWS_PER_PAGE_WITH_BODIES : ROWS_PER_PAGE
  const start = Date.parse(`${day}T00:00:00Z`) * 1000
  const end = to ?? { at: String(start + DAY_MICROS - 1), id: END_ID }
  const text = `SELECT ${columns.map(toExpression).join(", ")} FROM ${REQUESTS} r
    WHERE r.created_at >= $1::date::timestamp AT TIME ZONE 'UTC' AND r.created_at < ($1::date + 1)::timestamp AT TIME ZONE 'UTC'
      AND r.created_at >= ${toTime("$2")} AND (r.created_at, r.id) > (${toTime("$2")}, $3::uuid)
      AND (r.created_at, r.id) <= (${toTime("$4")}, $5::uuid) AND ${condition}
    ORDER BY r.created_at, r.id LIMIT $6`
  for (let after = from ?? { ...START, at: String(start) }; ; ) {
    const values = [day, after.at, after.id, end.at, end.id, limit, ...more]
    const { rows } = await db.query<ArchiveRow>({ text, values, timeoutMs: TIMEOUT_MS })
    yield* rows
    if (rows.length < limit) return
    after = toPosition(rows.at(-1)!)
  }
}

/** Returns where a row is in the order of its day. */
export function toPosition(row: ArchiveRow): RowPosition {
  return { at: row["created_at"] as string, id: row["id"] as string }
}

/** Multiplying an interval is exact up to 2^53 microseconds, which is the year 2255. */
const toTime = (parameter: string) => `('epoch'::timestamptz + ${parameter}::bigint * interval '1 microsecond')`

function toExpression({ name, sql }: ArchiveColumn): string {
  if (sql === "timestamptz") return `(extract(epoch FROM r.${name}) * 1000000)::bigint::text AS ${name}`
  const isNative = sql === "boolean" || sql === "integer"
  return isNative ? `r.${name}` : `r.${name}::text AS ${name}`
}
