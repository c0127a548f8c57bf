import { type ArchiveFile, type ArchiveStatus, SUM_NAMES, type Sums } from "../../core/archive-row.ts"
import type { Database, RunQuery } from "../_database.ts"
import { COUNTERS, toCounted } from "../counters.ts"
import { lockRollups } from "../locks.ts"

const TIMEOUT_MS = 10 * 60_000

/** A day of the archive. Amounts are plain decimals in USD, times ISO 8601. */
export interface ArchivedDay {
  readonly day: string
  readonly status: ArchiveStatus
  readonly place: string
  readonly rows: number
  readonly cost: string
  readonly bytes: number
  readonly files: readonly ArchiveFile[]
  readonly problem: string | null
  readonly written_at: string
  readonly verified_at: string | null
}

const DAY = `day::text AS day, status, place, rows::int8::float8 AS rows, trim_scale(cost)::text AS cost, bytes::float8 AS bytes,
  files, problem, written_at, verified_at`

interface DayRow extends Omit<ArchivedDay, "written_at" | "verified_at"> {
  readonly written_at: Date
  readonly verified_at: Date | null
}

const toDay = (row: DayRow): ArchivedDay => {
  return { ...row, written_at: row.written_at.toISOString(), verified_at: row.verified_at?.toISOString() ?? null }
}

/** Returns all days of the archive, the oldest first. */
export async function listArchivedDays(query: RunQuery): Promise<readonly ArchivedDay[]> {
  return (await query<DayRow>(`SELECT ${DAY} FROM llm_archive_days ORDER BY llm_archive_days.day`)).rows.map(toDay)
}

/**
 * Returns the days before `before` that are not verified in the archive, from the first day with a request on, the oldest
 * first. Days without requests are among them, so that the archive has no gaps.
 */
export async function listUnarchivedDays(query: RunQuery, before: string): Promise<readonly string[]> {
  const { rows } = await query<{ day: string }>({
    text: `WITH first AS (SELECT (min(created_at) AT TIME ZONE 'UTC')::date AS day FROM llm_requests)
      SELECT s.day::date::text AS day FROM first, generate_series(first.day, $1::date - 1, interval '1 day') AS s (day)
        WHERE NOT EXISTS (SELECT FROM llm_archive_days d WHERE d.day = s.day::date)
      UNION SELECT day::text FROM llm_archive_days WHERE status <> 'verified' AND day < $1::date ORDER BY 1`,
    values: [before],
    timeoutMs: TIMEOUT_MS,
  })
  return rows.map(({ day }) => day)
}

/** The problem of a day whose other requests were pruned before the archive began with it: its files are compared with nothing. */
const PARTIAL = "requests of this day were pruned before it was archived, so the totals of reports contain more"

interface BegunDay {
  readonly place: string
  readonly files: readonly ArchiveFile[]
  /** The extra files to which late requests have been assigned. */
  readonly lateFiles: readonly string[]
}

/**
 * Begins with a day, or goes on with it. From now on, new requests of the day are late. Files of a day whose requests have
 * changed are marked as stale, unless its requests were pruned meanwhile. Late requests without a file are assigned to the
 * next one.
 *
 * @param place where a new day is written; a day that exists stays where it is
 */
export function beginDay(
  db: Database,
  { day, place, toLateFile }: { readonly day: string; readonly place: string; toLateFile(n: number): string },
): Promise<BegunDay> {
  return db.transaction(async (query) => {
    await lockRollups(query)
    const isPruned = await readIsPruned(query, day)
    const { rows } = await query<DayRow>({
      text: `SELECT ${DAY} FROM llm_archive_days WHERE llm_archive_days.day = $1`,
      values: [day],
    })
    const old = rows[0]
    // The requests of a pruned day are only in its files, which must not be written again from what is left.
    const isStale = !isPruned && (old?.status === "changed" || old?.status === "failed")
    const files = (old?.files ?? []).map((file) => (isStale ? { ...file, stale: true as const } : file))
    await query({
      text: `INSERT INTO llm_archive_days (day, status, place, files, problem) VALUES ($1, 'writing', $2, $3, $4)
        ON CONFLICT (day) DO UPDATE SET status = 'writing', files = excluded.files,
          problem = CASE WHEN llm_archive_days.problem = '${PARTIAL}' THEN llm_archive_days.problem END`,
      values: [day, place, JSON.stringify(files), old === undefined && isPruned ? PARTIAL : null],
    })
    return { place: old?.place ?? place, files, lateFiles: await assignLateRows(query, day, toLateFile) }
  })
}

/** Gives the late requests of a day that have no file yet the next one, and returns all such files. */
async function assignLateRows(query: RunQuery, day: string, toLateFile: (n: number) => string): Promise<string[]> {
  const { rows } = await query<{ file: string }>({
    text: "SELECT DISTINCT file FROM llm_archive_late WHERE day = $1 AND file IS NOT NULL ORDER BY 1",
    values: [day],
  })
  const names = rows.map(({ file }) => file)
  const next = toLateFile(names.length === 0 ? 0 : Number(/\d+/.exec(names.at(-1)!)![0]) + 1)
  const { rowCount } = await query({
    text: `UPDATE llm_archive_late SET file = $2 WHERE day = $1 AND file IS NULL`,
    values: [day, next],
  })
  return rowCount > 0 ? [...names, next] : names
}

/** Whether requests of a day may have been deleted. Prune says so before it deletes the first one. */
export async function readIsPruned(query: RunQuery, day: string): Promise<boolean> {
  const { rows } = await query<{ pruned: boolean }>({
    text: "SELECT coalesce(pruned_before > $1::date::timestamp AT TIME ZONE 'UTC', false) AS pruned FROM majordomo_schema",
    values: [day],
  })
  return rows[0]?.pruned ?? false
}

/** Stores the files of a day. @throws Error if another process has taken over the lease */
export async function saveFiles(
  db: Database,
  { day, files, holder }: { readonly day: string; readonly files: readonly ArchiveFile[]; readonly holder: string },
): Promise<void> {
  const { rowCount } = await db.query({
    text: `UPDATE llm_archive_days d SET files = $2, written_at = clock_timestamp(),
        rows = (SELECT coalesce(sum((f ->> 'rows')::bigint), 0) FROM jsonb_array_elements($2::jsonb) f),
        bytes = (SELECT coalesce(sum((f ->> 'bytes')::bigint), 0) FROM jsonb_array_elements($2::jsonb) f),
        cost = (SELECT coalesce(sum((f -> 'sums' ->> 'total_cost')::numeric), 0) FROM jsonb_array_elements($2::jsonb) f)
      WHERE day = $1 AND EXISTS (SELECT FROM majordomo_archive_lease WHERE holder = $3)`,
    values: [day, JSON.stringify(files), holder],
  })
  if (rowCount === 0) throw new Error("another process has taken over the archive")
}

interface Expected {
  /** The sums that the files of the day must have; undefined: they are not known any more. */
  readonly sums: Sums | undefined
  /** Whether the totals were read while the day is unchanged since it was begun. */
  readonly status: ArchiveStatus
}

/**
 * Compares a day with the totals of reports, under the lock of batches: its status becomes `verified`, `late` if requests
 * have arrived meanwhile, `failed` with what `compare` returns, or stays `changed` if requests have changed meanwhile.
 *
 * @param compare returns why the files are not what they should be; undefined if they are
 */
export function concludeDay(
  db: Database,
  day: string,
  compare: (expected: Sums) => string | undefined,
): Promise<ArchivedDay> {
  return db.transaction(async (query) => {
    await lockRollups(query)
    const expected = await readExpected(query, day)
    const difference = expected.sums === undefined ? undefined : compare(expected.sums)
    const { rows } = await query<DayRow>({
      text: `UPDATE llm_archive_days SET
          status = CASE WHEN status = 'changed' THEN status WHEN $2::text IS NOT NULL THEN 'failed'
            WHEN EXISTS (SELECT FROM llm_archive_late l WHERE l.day = $1 AND l.file IS NULL) THEN 'late' ELSE 'verified' END,
          problem = coalesce($2, problem), verified_at = CASE WHEN $2::text IS NULL AND status <> 'changed' THEN clock_timestamp() END
        WHERE llm_archive_days.day = $1 RETURNING ${DAY}`,
      values: [day, difference ?? null],
    })
    return toDay(rows[0]!)
  })
}

/** Reads what the files of a day must contain: what the rollups say, without late requests that are in no file yet. */
export async function readExpected(query: RunQuery, day: string): Promise<Expected> {
  const { rows: days } = await query<{ status: ArchiveStatus; problem: string | null }>({
    text: "SELECT status, problem FROM llm_archive_days WHERE day = $1",
    values: [day],
  })
  const { status, problem } = days[0]!
  if (problem === PARTIAL) return { status, sums: undefined }
  const counters = COUNTERS.filter(({ name }) => (SUM_NAMES as readonly string[]).includes(name))
  const minus = counters.map(({ name }) => `trim_scale(t.${name}::numeric - w.${name}::numeric)::text AS ${name}`)
  const { rows } = await query<Sums>({
    text: `WITH t AS (SELECT ${counters.map(({ name }) => `coalesce(sum(${name}), 0) AS ${name}`).join(", ")}
        FROM llm_usage_daily WHERE day = $1::date),
      w AS (SELECT ${counters.map(toCounted).join(", ")} FROM llm_requests r
        WHERE outcome <> 'gap' AND id IN (SELECT id FROM llm_archive_late WHERE day = $1::date AND file IS NULL))
      SELECT ${minus.join(", ")} FROM t, w`,
    values: [day],
    timeoutMs: TIMEOUT_MS,
  })
  return { status, sums: rows[0]! }
}

/** Returns the name by which the places of the archive know this database. */
export async function readArchiveId(query: RunQuery): Promise<string> {
  const { rows } = await query<{ archive_id: string }>("SELECT archive_id::text FROM majordomo_schema")
  return rows[0]!.archive_id
}

/** Stores whether retention and prune keep days that are not verified in the archive. Returns whether that is new. */
export async function requireArchive(query: RunQuery, isRequired: boolean): Promise<boolean> {
  const { rowCount } = await query({
    text: "UPDATE majordomo_schema SET archive_required = $1 WHERE archive_required <> $1",
    values: [isRequired],
  })
  return rowCount > 0
}
