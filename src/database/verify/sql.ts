// Parts of the statements of this folder. They take the first day as $1 and the day after the last one as $2.

/** The requests without an API key are counted under this id. */
export const NO_KEY = "'00000000-0000-0000-0000-000000000000'"
const FROM = "$1::date::timestamp AT TIME ZONE 'UTC'"
const UNTIL = "$2::date::timestamp AT TIME ZONE 'UTC'"
export const inHours = (column: string) => `${column} >= ${FROM} AND ${column} < ${UNTIL}`
export const inDays = (column: string) => `${column} >= $1::date AND ${column} < $2::date`
export const dayOf = (column: string) => `(${column} AT TIME ZONE 'UTC')::date`
/** The start of a day, which costs a fifth of what `dayOf` costs. */
export const binDays = (column: string) => `date_bin('1 day', ${column}, '2000-01-01Z')`

/** The names whose totals contain every request. Only these are compared with requests, and only these are read by reports. */
export const NAMES = "SELECT name FROM llm_usage_metadata_names WHERE summed"

/** Which periods a statement reads: conditions on an hour and on a day. */
export interface Scope {
  inHours(column: string): string
  inDays(column: string): string
}

export const IN_RANGE: Scope = { inHours, inDays }
export const EVERYTHING: Scope = { inHours: () => "true", inDays: () => "true" }
