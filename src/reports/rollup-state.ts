import { createStatement, type Statement } from "./_sql.ts"

/** What the sums of the database cover: what a report may rely on. */
export interface RollupState {
  /** Whether there are sums at all. */
  readonly hasRollups: boolean
  /** The database's clock, in milliseconds since the epoch. */
  readonly now: number
  /** Milliseconds since the epoch, a midnight of UTC: of earlier requests only sums are left. */
  readonly prunedBefore: number | undefined
  /** Milliseconds since the epoch, a midnight of UTC: sums of earlier days are added up by week, too. */
  readonly foldedBefore: number | undefined
  /** Metadata names of which every request is in the sums. */
  readonly summed: ReadonlySet<string>
  /** Metadata names of which every request is in the index. */
  readonly indexed: ReadonlySet<string>
  /** Summed names with more values in a day than have sums of their own: some are counted together, as `(other)`. */
  readonly overflowing: ReadonlySet<string>
}

/** The rows and nothing else. */
export const NO_ROLLUPS: RollupState = {
  hasRollups: false,
  now: 0,
  prunedBefore: undefined,
  foldedBefore: undefined,
  summed: new Set(),
  indexed: new Set(),
  overflowing: new Set(),
}

/** Values of a name in a day from which on schema.sql counts further ones as `(other)`. */
export const MAX_VALUES_PER_DAY = 10_000

export function askRollupState(): Statement {
  return createStatement(
    (bind) => `SELECT
    extract(epoch FROM now())::float8 * 1000 AS now,
    (SELECT extract(epoch FROM pruned_before)::float8 * 1000 FROM majordomo_schema) AS pruned_before,
    (SELECT extract(epoch FROM folded_before)::float8 * 1000 FROM majordomo_schema) AS folded_before,
    ARRAY(SELECT name FROM llm_usage_metadata_names WHERE summed) AS summed,
    ARRAY(SELECT name FROM llm_usage_metadata_names WHERE indexed) AS indexed,
    ARRAY(SELECT DISTINCT name FROM llm_usage_metadata_values v WHERE distinct_values >= ${bind(MAX_VALUES_PER_DAY - 1)}
      AND EXISTS (SELECT FROM llm_usage_metadata m WHERE (m.name, m.day, m.value) = (v.name, v.day, '(other)'))) AS crowded`,
  )
}

export function readRollupState([row]: readonly Record<string, unknown>[]): RollupState {
  const names = (column: string) => new Set((row?.[column] ?? []) as string[])
  const moment = (column: string) => (typeof row?.[column] === "number" ? row[column] : undefined)
  return {
    hasRollups: true,
    now: Number(row?.["now"] ?? 0),
    prunedBefore: moment("pruned_before"),
    foldedBefore: moment("folded_before"),
    summed: names("summed"),
    indexed: names("indexed"),
    overflowing: names("crowded"),
  }
}
