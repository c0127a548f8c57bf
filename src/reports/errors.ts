import { createStatement, IS_ERROR, type Statement } from "./_sql.ts"
import type { Value } from "./dimensions.ts"
import { toCondition } from "./filters.ts"
import type { RollupState } from "./rollup-state.ts"
import { ROWS } from "./sources.ts"
import { toGroup, toGroupOrder, type UsageQuestion } from "./usage.ts"

/** Errors of one group that have the same status, outcome and message. */
export interface ErrorRow {
  /** One value per dimension, in the order of the dimensions. */
  readonly values: readonly Value[]
  readonly keyId: string | undefined
  readonly status_code: number
  readonly outcome: string
  /** The message of the provider or of the gateway. null: there was none. */
  readonly error: string | null
  readonly requests: number
  /** When the last of them ended, in milliseconds since the epoch. */
  readonly lastAt: number
}

export type ErrorQuestion = Pick<UsageQuestion, "by" | "period" | "filters" | "limit">

/** The message of a limit goes on with what was used at that moment, so that no two requests would be alike. */
const MESSAGE = `CASE WHEN outcome = 'rejected'
    THEN regexp_replace(error_message, '(has no room for this request):.*$', '\\1') ELSE error_message END`

/** Builds the statement that counts the errors of the rows. Times come in ascending order, then the most frequent errors. */
export function askErrors({ by, period, filters, limit }: ErrorQuestion, { indexed }: RollupState): Statement {
  return createStatement((bind) => {
    const names = by.map((_, i) => `d${i}`)
    const groups = by.map((dimension, i) => `${dimension.sql(ROWS, bind, period.tz)!} AS d${i}`)
    const where = `${toCondition({ filters, span: period, indexed }, bind)} AND ${IS_ERROR}`
    const facts = ["status_code", "outcome", "error_message"]
    const read = ["status_code", "outcome", `${MESSAGE} AS error_message`, "created_at"]
    const keyAt = by.findIndex(({ name }) => name === "key")
    return `WITH errors AS (SELECT ${[...groups, ...read]} FROM llm_requests r WHERE ${where}),
summed AS (SELECT ${[...names, ...facts]}, count(*) AS requests, max(created_at) AS last_at
  FROM errors GROUP BY ${[...names, ...facts]})
SELECT s.*, (count(*) OVER ()) AS groups${keyAt < 0 ? "" : ", k.name AS key_name"}
FROM summed s${keyAt < 0 ? "" : ` LEFT JOIN api_keys k ON k.id = s.d${keyAt}`}
ORDER BY ${toGroupOrder(by, "requests DESC, last_at DESC")}, ${facts}
${limit === undefined ? "" : `LIMIT ${bind(limit)}`}`
  })
}

export interface ErrorAnswer {
  readonly rows: readonly ErrorRow[]
  /** The number of rows without the limit. */
  readonly groups: number
}

/** Converts the rows of the statement from `askErrors` to typed values. */
export function readErrors(raw: readonly Record<string, unknown>[], question: ErrorQuestion): ErrorAnswer {
  const rows = raw.map((row) => ({
    ...toGroup(row, question),
    status_code: Number(row["status_code"]),
    outcome: String(row["outcome"]),
    error: row["error_message"] === null ? null : String(row["error_message"]),
    requests: Number(row["requests"]),
    lastAt: new Date(row["last_at"] as Date).getTime(),
  }))
  return { rows, groups: Number(raw[0]?.["groups"] ?? 0) }
}
