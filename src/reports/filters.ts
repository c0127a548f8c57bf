import { type Bind, IS_ERROR } from "./_sql.ts"
import { ROWS, type Source } from "./sources.ts"

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

/** A stretch of time, in milliseconds since the epoch: from the first on, up to but not including the second. */
export interface Span {
  readonly since?: number | undefined
  readonly until?: number | undefined
}

/** What holds for the rows of a source within a span: an expression over `r`. Names that are `indexed` are looked up. */
export function toCondition({ filters, span = {}, source = ROWS, indexed }: ConditionQuestion, bind: Bind): string {
  const { column, type } = source.bound
  const moment = (at: number) => bind(new Date(at).toISOString())
  const edge = (at: number) =>
    type === "date" ? `(${moment(at)}::timestamptz AT TIME ZONE 'UTC')::date` : `${moment(at)}::timestamptz`
  // A gap is no request: it stands for rows that could not be kept.
  const conditions = source === ROWS ? ["r.outcome <> 'gap'"] : ["true"]
  if (span.since !== undefined) conditions.push(`${column} >= ${edge(span.since)}`)
  if (span.until !== undefined) conditions.push(`${column} < ${edge(span.until)}`)
  const { model, provider, key, status, where = {} } = filters
  if (model !== undefined) conditions.push(matches("r.model", model, bind))
  if (provider !== undefined) conditions.push(matches("r.provider", provider.toLowerCase(), bind))
  if (key !== undefined) conditions.push(ofKey(key, bind))
  if (status === "error") conditions.push(IS_ERROR)
  else if (status === "success") conditions.push(`NOT ${IS_ERROR}`)
  else if (status !== undefined) conditions.push(matches("r.status_code::text", status, bind))
  for (const [name, value] of Object.entries(where)) {
    if (source !== ROWS) conditions.push(matches("r.value", value, bind))
    else if (indexed?.has(name) && !value.endsWith("*"))
      conditions.push(`r.indexed_metadata @> ${bind(JSON.stringify({ [name]: value }))}::jsonb`)
    else conditions.push(matches(`(r.raw_metadata ->> ${bind(name)}::text)`, value, bind))
  }
  return conditions.join(" AND ")
}

interface ConditionQuestion {
  readonly filters: Filters
  readonly span?: Span | undefined
  readonly source?: Source
  readonly indexed?: ReadonlySet<string> | undefined
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
