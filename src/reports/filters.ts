import { type Bind, IS_ERROR, TIME } from "./_sql.ts"
import type { Period } from "./period.ts"

/** Which requests; every text may end in `*`, which stands for anything. */
export interface Filters {
  readonly model?: string | undefined
  readonly provider?: string | undefined
  /** A key's id or name. */
  readonly key?: string | undefined
  /** `error`, `success`, a status code, or `4*`. */
  readonly status?: string | undefined
  /** By metadata name, as it is stored. */
  readonly where?: Readonly<Record<string, string>> | undefined
}

/** What holds for the rows of a report: an expression over `llm_requests r`. */
export function toCondition(filters: Filters, period: Period | undefined, bind: Bind): string {
  // A gap is no request: it stands for rows that could not be kept.
  const conditions = ["r.outcome <> 'gap'"]
  if (period !== undefined) {
    conditions.push(`${TIME} >= ${bind(new Date(period.since).toISOString())}::timestamptz`)
    if (period.until !== undefined)
      conditions.push(`${TIME} < ${bind(new Date(period.until).toISOString())}::timestamptz`)
  }
  const { model, provider, key, status, where = {} } = filters
  if (model !== undefined) conditions.push(matches("r.model", model, bind))
  if (provider !== undefined) conditions.push(matches("r.provider", provider.toLowerCase(), bind))
  if (key !== undefined) conditions.push(ofKey(key, bind))
  if (status === "error") conditions.push(IS_ERROR)
  else if (status === "success") conditions.push(`NOT ${IS_ERROR}`)
  else if (status !== undefined) conditions.push(matches("r.status_code::text", status, bind))
  for (const [name, value] of Object.entries(where)) {
    conditions.push(matches(`(r.raw_metadata ->> ${bind(name)}::text)`, value, bind))
  }
  return conditions.join(" AND ")
}

function ofKey(key: string, bind: Bind): string {
  const isId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(key)
  if (isId) return `r.majordomo_api_key_id = ${bind(key)}::uuid`
  return `r.majordomo_api_key_id IN (SELECT k.id FROM api_keys k WHERE ${matches("k.name", key, bind)})`
}

function matches(expression: string, wanted: string, bind: Bind): string {
  if (!wanted.endsWith("*")) return `${expression} = ${bind(wanted)}::text`
  return `starts_with(${expression}, ${bind(wanted.slice(0, -1))}::text)`
}
