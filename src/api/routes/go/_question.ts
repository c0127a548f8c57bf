import { z } from "zod"
import { createTable } from "../../../core/table.ts"
import { isUuid } from "../../../kit/uuid.ts"
import { InputError } from "../../../operations/input-error.ts"
import { type Period, parseFilters } from "../../../operations/usage/question.ts"

const text = (about: string) => z.string().nullish().describe(about)

/** The body that the Go gateway takes for every question about usage. It ignores fields that it does not know. */
export const QUESTION = {
  preset: text("7d, 30d or 90d, which end with today (UTC); 30d unless start is given"),
  start: text("from then on: a date (UTC) or an RFC 3339 time"),
  end: text("before then: a date (UTC), which is not included, or an RFC 3339 time; only with start"),
  api_key_id: text("only this API key"),
  provider: text("only this provider"),
  model: text("only this model"),
  status_class: text("only error, or only success"),
  metadata_filters: z
    .array(z.object({ key: z.string(), value: z.string() }))
    .nullish()
    .describe("only requests with this metadata"),
  exclude_runs: z.boolean().nullish().describe("not covered: only false is accepted"),
  limit: z.number().int().nullish().describe("at most so many, for lists"),
  offset: z.number().int().nullish().describe("without the first so many, for lists"),
}

type QuestionInput = z.output<z.ZodObject<typeof QUESTION>>

interface Choice {
  readonly period: Period
  readonly filters: ReturnType<typeof parseFilters>
}

/** The limits of a list: one that is missing becomes `initial`, and one that is too high becomes `max`. */
interface PageLimits {
  readonly initial: number
  readonly max: number
}

/**
 * Returns the filters and the period of a question.
 *
 * @throws InputError for a field that is not valid
 */
export function parseChoice(body: QuestionInput, now: number): Choice {
  if (body.exclude_runs) {
    throw new InputError("exclude_runs", "this gateway cannot leave out the requests of runs: leave the field out")
  }
  return { period: parsePeriod(body, now), filters: toFilters(body) }
}

/** Returns the part of a list that is asked for. */
export function parsePage({ limit, offset }: QuestionInput, { initial, max }: PageLimits) {
  const wanted = limit ?? 0
  return { limit: wanted > 0 ? Math.min(wanted, max) : initial, offset: Math.max(offset ?? 0, 0) }
}

function toFilters({ api_key_id, provider, model, status_class, metadata_filters }: QuestionInput) {
  if (api_key_id && !isUuid(api_key_id)) {
    throw new InputError("api_key_id", `expected the id of an API key, which is a UUID, got ${quote(api_key_id)}`)
  }
  if (status_class && status_class !== "error" && status_class !== "success") {
    throw new InputError("status_class", `expected error or success, got ${quote(status_class)}`)
  }
  const where = (metadata_filters ?? []).map(({ key, value }) => {
    if (key === "" || value === "") throw new InputError("metadata_filters", "expected a key and a value")
    return `${key}=${value}`
  })
  return parseFilters({
    key: api_key_id || undefined,
    provider: provider || undefined,
    model: model || undefined,
    status: status_class || undefined,
    where,
  })
}

const DAY_MS = 86_400_000
const DAYS_OF_PRESET: Readonly<Record<string, number>> = createTable({ "7d": 7, "90d": 90 })

function parsePeriod({ preset, start, end }: QuestionInput, now: number): Period {
  if (!start) {
    const today = Math.floor(now / DAY_MS) * DAY_MS
    const days = DAYS_OF_PRESET[preset ?? ""] ?? 30
    return { since: today - (days - 1) * DAY_MS, until: undefined, tz: "UTC" }
  }
  const since = parseTime("start", start)
  const until = end ? parseTime("end", end) : undefined
  if (until !== undefined && until <= since) throw new InputError("end", "expected a moment later than start")
  return { since, until, tz: "UTC" }
}

const TIME = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?$/

function parseTime(field: "start" | "end", text: string): number {
  const [, day, time] = TIME.exec(text) ?? []
  const at = time === undefined ? Date.parse(`${day}T00:00:00Z`) : Date.parse(text)
  // Date.parse takes 31 February for 3 March.
  if (!Number.isNaN(at) && new Date(`${day}T00:00:00Z`).toISOString().startsWith(day!)) return at
  throw new InputError(
    field,
    `expected a date such as 2026-11-01 or a time such as 2026-11-01T14:30:00Z, got ${quote(text)}`,
  )
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 60))
}
