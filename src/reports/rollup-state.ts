import { createStatement, type Statement } from "./_sql.ts"

/** The contents of the rollups in the database, which decide what a report can read from them. */
export interface RollupState {
  /** Whether there are rollups at all. */
  readonly hasRollups: boolean
  /** The database's clock, in milliseconds since the epoch. */
  readonly now: number
  /** When the newest request ended, in milliseconds since the epoch; undefined: the database contains no request. */
  readonly newest: number | undefined
  /**
   * A midnight in UTC, in milliseconds since the epoch. Rows before it were pruned, and only their rollups are left.
   */
  readonly prunedBefore: number | undefined
  /** A midnight in UTC, in milliseconds since the epoch. Days before it are also contained in the weekly rollups. */
  readonly foldedBefore: number | undefined
  /**
   * The full hour in UTC, in milliseconds since the epoch, from which the rollup of runs is complete. -Infinity: it is
   * complete. Infinity: it cannot be read.
   */
  readonly runsSince: number
  /** The metadata names whose rollups contain every request. */
  readonly summed: ReadonlySet<string>
  /**
   * By metadata name, the midnight in UTC, in milliseconds since the epoch, before which its rollups lack requests: they
   * were pruned before the name was active. A name whose rollups are complete is left out.
   */
  readonly summedSince: ReadonlyMap<string, number>
  /**
   * The metadata names whose days are being counted, each with the midnight in UTC, in milliseconds since the epoch, from
   * which its rollups contain every request.
   */
  readonly countedFrom: ReadonlyMap<string, number>
  /**
   * The metadata names that are indexed, each with the moment, in milliseconds since the epoch, from which the index of
   * `indexed_metadata` contains every request. -Infinity: it contains all.
   */
  readonly indexed: ReadonlyMap<string, number>
  /**
   * The names with more values in a day than have rollups of their own: the others are counted together as `(other)`.
   */
  readonly overflowing: ReadonlySet<string>
  /** The names with so many values in a day that a report should not add up all measures of each of them. */
  readonly numerous: ReadonlySet<string>
}

/** The state without rollups: every report reads the rows. */
export const NO_ROLLUPS: RollupState = {
  hasRollups: false,
  now: 0,
  newest: undefined,
  prunedBefore: undefined,
  foldedBefore: undefined,
  runsSince: Number.POSITIVE_INFINITY,
  summed: new Set(),
  summedSince: new Map(),
  countedFrom: new Map(),
  indexed: new Map(),
  overflowing: new Set(),
  numerous: new Set(),
}

/** The number of values of a name in one day above which the database counts further values as `(other)`. */
export const MAX_VALUES_PER_DAY = 10_000

/** The number of values of a name in one day from which on they are `numerous`. */
const MANY_VALUES = 500

/** Selects the state of the rollups as one row for `readRollupState`. */
export function askRollupState(): Statement {
  return createStatement(
    (bind) => `SELECT
    extract(epoch FROM now())::float8 * 1000 AS now,
    (SELECT extract(epoch FROM max(created_at))::float8 * 1000 FROM llm_requests WHERE outcome <> 'gap') AS newest,
    (SELECT extract(epoch FROM pruned_before)::float8 * 1000 FROM majordomo_schema) AS pruned_before,
    (SELECT extract(epoch FROM folded_before)::float8 * 1000 FROM majordomo_schema) AS folded_before,
    (SELECT extract(epoch FROM runs_since)::float8 * 1000 FROM majordomo_schema) AS runs_since,
    ARRAY(SELECT name FROM llm_usage_metadata_names WHERE summed) AS summed,
    (SELECT json_object_agg(name, extract(epoch FROM least(summed_since, pruned_before))::float8 * 1000)
      FROM llm_usage_metadata_names CROSS JOIN majordomo_schema
      WHERE summed AND summed_since IS NOT NULL AND pruned_before IS NOT NULL) AS summed_since,
    (SELECT json_object_agg(name, extract(epoch FROM counted_from)::float8 * 1000)
      FROM llm_usage_metadata_names WHERE NOT summed AND counted_from IS NOT NULL) AS counted_from,
    (SELECT json_object_agg(name, CASE WHEN NOT indexed THEN ceil(extract(epoch FROM indexed_since) * 1000)::float8 END)
      FROM llm_usage_metadata_names WHERE indexed OR indexed_since IS NOT NULL) AS indexed,
    ARRAY(SELECT DISTINCT name FROM llm_usage_metadata_values v WHERE distinct_values >= ${bind(MAX_VALUES_PER_DAY - 1)}
      AND EXISTS (SELECT FROM llm_usage_metadata m WHERE (m.name, m.day, m.value) = (v.name, v.day, '(other)'))) AS overflowing,
    ARRAY(SELECT DISTINCT name FROM llm_usage_metadata_values WHERE distinct_values >= ${bind(MANY_VALUES)}) AS numerous`,
  )
}

/** Reads the row that `askRollupState` selects. */
export function readRollupState([row]: readonly Record<string, unknown>[]): RollupState {
  const names = (column: string) => new Set((row?.[column] ?? []) as string[])
  const moments = (column: string) => {
    const found = Object.entries((row?.[column] ?? {}) as Record<string, number | null>)
    return new Map(found.map(([name, at]) => [name, at ?? Number.NEGATIVE_INFINITY]))
  }
  const moment = (column: string) => (typeof row?.[column] === "number" ? row[column] : undefined)
  return {
    hasRollups: true,
    now: Number(row?.["now"] ?? 0),
    newest: moment("newest"),
    prunedBefore: moment("pruned_before"),
    foldedBefore: moment("folded_before"),
    runsSince: moment("runs_since") ?? Number.POSITIVE_INFINITY,
    summed: names("summed"),
    summedSince: moments("summed_since"),
    countedFrom: moments("counted_from"),
    indexed: moments("indexed"),
    overflowing: names("overflowing"),
    numerous: names("numerous"),
  }
}
