import { type Bind, IS_ERROR, IS_SUBSCRIBED, IS_UNUSUAL } from "./_sql.ts"
import type { RollupState } from "./rollup-state.ts"
import { isOfRun } from "./run-id.ts"
import { MAX_NAME, ROWS, type Source } from "./sources.ts"

/** Selects requests. Every text may end in `*`, which matches any rest. */
export interface Filters {
  readonly model?: string | undefined
  readonly provider?: string | undefined
  /** The id or the name of a key. */
  readonly key?: string | undefined
  /** `error`, `success`, a status code, or a class of codes such as `4*`. */
  readonly status?: string | undefined
  /** Who pays: the provider's bill for tokens, or a subscription. */
  readonly billing?: "api" | "subscription" | undefined
  /** Where the row comes from: a gateway relayed it, the client reported it by telemetry, or another product recorded it. */
  readonly source?: "gateway" | "telemetry" | "import" | undefined
  /** The id of a run: of a trace, or of a session. Only rows know it, so that a report by rollups must not have it. */
  readonly trace?: string | undefined
  /** The value of each metadata name, with names as they are stored. `""`: only requests without it, which rows alone know. */
  readonly where?: Readonly<Record<string, string>> | undefined
}

/** An interval in milliseconds since the epoch that includes `since` and excludes `until`. */
export interface Span {
  readonly since?: number | undefined
  readonly until?: number | undefined
}

/**
 * Returns the condition on the rows of a source (`r`) for a span and filters. Metadata names in `indexed` use their indexes.
 */
export function toCondition(
  { filters, span = {}, source = ROWS, indexed, isUnusual }: ConditionQuestion,
  bind: Bind,
): string {
  const { column } = source.bound
  // A gap is not a request: it stands for rows that were dropped.
  const conditions = source === ROWS ? ["r.outcome <> 'gap'"] : ["true"]
  if (span.since !== undefined) conditions.push(`${column} >= ${toBound(source, span.since, bind)}`)
  if (span.until !== undefined) conditions.push(`${column} < ${toBound(source, span.until, bind)}`)
  const { model, provider, key, status, billing, source: origin, trace, where = {} } = filters
  if (model !== undefined) conditions.push(matches("r.model", model, bind))
  if (provider !== undefined) conditions.push(matches("r.provider", provider.toLowerCase(), bind))
  if (key !== undefined) conditions.push(matchesKey(key, bind))
  if (status === "error") conditions.push(IS_ERROR)
  else if (status === "success") conditions.push(`NOT ${IS_ERROR}`)
  else if (status !== undefined) {
    conditions.push(matches("r.status_code::text", status, bind))
    if (status !== "200" && !(status.endsWith("*") && "200".startsWith(status.slice(0, -1))))
      conditions.push(IS_UNUSUAL)
  }
  if (isUnusual) conditions.push(IS_UNUSUAL)
  if (billing !== undefined) conditions.push(billing === "api" ? `NOT ${IS_SUBSCRIBED}` : IS_SUBSCRIBED)
  if (origin !== undefined) conditions.push(`${ROWS.columns.source} = ${bind(origin)}::text`)
  if (trace !== undefined) conditions.push(isOfRun(trace, bind))
  for (const [name, value] of Object.entries(where)) {
    if (value === "") conditions.push(`coalesce(r.raw_metadata ->> ${bind(name)}::text, '') = ''`)
    else if (source !== ROWS) conditions.push(matches("r.value", value, bind))
    else conditions.push(matchesMetadata({ name, value, span, since: indexed?.get(name) }, bind))
  }
  return conditions.join(" AND ")
}

/** Returns a moment as SQL, in the type of the source's column for limits of time. */
export function toBound({ bound }: Source, at: number, bind: Bind): string {
  const moment = `${bind(new Date(at).toISOString())}::timestamptz`
  return bound.type === "date" ? `(${moment} AT TIME ZONE 'UTC')::date` : moment
}

interface ConditionQuestion {
  readonly filters: Filters
  readonly span?: Span | undefined
  readonly source?: Source
  readonly indexed?: RollupState["indexed"] | undefined
  /** Only the requests that are not as nearly all are. */
  readonly isUnusual?: boolean
}

/** A metadata name, the value of it that requests must have, and from which moment on every request is indexed by it. */
interface MetadataQuestion {
  readonly name: string
  readonly value: string
  readonly span: Span
  readonly since: number | undefined
}

/**
 * Requests that were written after the name was activated have it in `indexed_metadata`. Earlier ones are found by the
 * index of their partition, which is over the beginnings of values (majordomo_index_name in migrations/).
 */
function matchesMetadata({ name, value, span, since }: MetadataQuestion, bind: Bind): string {
  const text = () => `(r.raw_metadata ->> ${bind(name)}::text)`
  if (since === undefined || value.endsWith("*")) return matches(text(), value, bind)
  const isIndexed = () => `r.indexed_metadata @> ${bind(JSON.stringify({ [name]: value }))}::jsonb`
  if (since <= (span.since ?? Number.NEGATIVE_INFINITY)) return isIndexed()
  const isInPartition = () =>
    value.length < MAX_NAME ? `left(${text()}, ${MAX_NAME}) = ${bind(value)}::text` : matches(text(), value, bind)
  const at = `${bind(new Date(since).toISOString())}::timestamptz`
  const isEarlier = `r.created_at < ${at} AND ${isInPartition()}`
  if (span.until !== undefined && span.until <= since) return isEarlier
  return `(${isEarlier} OR r.created_at >= ${at} AND ${isIndexed()})`
}

function matchesKey(key: string, bind: Bind): string {
  const isId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(key)
  if (isId) return `r.majordomo_api_key_id = ${bind(key)}::uuid`
  // The beginning of an id is how reports tell keys of one name apart.
  const begins = /^[0-9a-f]{8}[0-9a-f-]{0,27}$/i.test(key)
    ? ` OR starts_with(k.id::text, ${bind(key.toLowerCase())}::text)`
    : ""
  return `r.majordomo_api_key_id IN (SELECT k.id FROM api_keys k WHERE ${matches("k.name", key, bind)}${begins})`
}

function matches(expression: string, wanted: string, bind: Bind): string {
  if (!wanted.endsWith("*")) return `${expression} = ${bind(wanted)}::text`
  return `starts_with(${expression}, ${bind(wanted.slice(0, -1))}::text)`
}
