import { findNearest } from "../../config/nearest.ts"
import {
  DIMENSIONS,
  type Dimension,
  type Filters,
  findDimension,
  findZone,
  isPeriod,
  METADATA_ALIASES,
  MOMENTS,
  metadataDimension,
  PERIODS,
  type Period,
  parseMoment,
  toPreviousPeriod,
  toTrainCase,
  toYearAgo,
} from "../../reports/index.ts"
import { InputError } from "../input-error.ts"

export { type Dimension, MOMENTS, metadataDimension, PERIODS, type Period }

/** A period in the words of a person, such as `7d` or `2026-11-01`. */
interface PeriodInput {
  /** Undefined: `defaultSince`. */
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** A calendar period by its name, in place of `since` and `until`. */
  readonly period?: string | undefined
  /** The same for a month. */
  readonly month?: string | undefined
  readonly defaultSince?: string
  /** A time zone that `parseZone` has returned. */
  readonly tz: string
}

/**
 * Returns the period that two moments or a name mean. A named period that has not ended is open: it is the period to date.
 *
 * @param now the current time in ms since the epoch, from which `7d` and `today` count
 * @throws InputError for `since`, `until`, `period` or `month`
 */
export function parsePeriod({ since, until, tz, defaultSince = "30d", ...names }: PeriodInput, now: number): Period {
  const name = findPeriodName({ since, until, ...names })
  if (name !== undefined) {
    const whole = parseNamedPeriod(name.field, name.text, { now, tz })
    return whole.since <= now && now < whole.until ? { ...whole, until: undefined } : whole
  }
  const parse = (field: "since" | "until", text: string) => {
    const at = parseMoment(text, field, { now, tz })
    if (at !== undefined) return at
    throw new InputError(field, `expected ${MOMENTS}, got ${JSON.stringify(text)}`)
  }
  const from = parse("since", since ?? defaultSince)
  const period = { since: from, until: until === undefined ? undefined : parse("until", until), tz }
  if (period.until !== undefined && period.until <= period.since) {
    throw new InputError("until", "expected a moment later than since")
  }
  return period
}

interface PeriodName {
  readonly field: "period" | "month" | "compare"
  readonly text: string
}

function findPeriodName({ since, until, period, month }: Omit<PeriodInput, "tz">): PeriodName | undefined {
  const field = period !== undefined ? "period" : month !== undefined ? "month" : undefined
  if (field === undefined) return undefined
  if (since !== undefined || until !== undefined) throw new InputError(field, "expected either it, or since and until")
  if (period !== undefined && month !== undefined) throw new InputError("month", "expected either it, or period")
  return { field, text: (period ?? month)! }
}

const MONTH = /^(\d{4}-\d{2}|(this-|last-)?month)$/

/**
 * Returns the whole period that a text names, also if it has not ended.
 *
 * @throws InputError for the field
 */
export function parseNamedPeriod(field: PeriodName["field"], text: string, { now, tz }: { now: number; tz: string }) {
  const isAllowed = field === "month" ? MONTH.test(text) : isPeriod(text)
  const since = isAllowed ? parseMoment(text, "since", { now, tz }) : undefined
  const until = isAllowed ? parseMoment(text, "until", { now, tz }) : undefined
  if (since !== undefined && until !== undefined) return { since, until, tz }
  const forms = { month: "a month such as 2026-10, this-month or last-month", period: PERIODS, compare: COMPARISONS }
  throw new InputError(field, `expected ${forms[field]}, got ${JSON.stringify(text)}`)
}

/** The forms of `compare`, for help texts and error messages. */
export const COMPARISONS = "previous, year-ago, last-month, or another period by its name, such as 2026-09"

/**
 * Returns the period that a report is compared with.
 *
 * @throws InputError for `compare`
 */
export function parseComparison(compare: string, { since, until, tz }: Period, now: number): Period {
  const closed = { since, until: until ?? now, tz }
  if (compare === "previous") return toPreviousPeriod(closed)
  return compare === "year-ago" ? toYearAgo(closed) : parseNamedPeriod("compare", compare, { now, tz })
}

/**
 * Returns the name of a time zone in its usual form.
 *
 * @throws InputError for `tz`
 */
export function parseZone(name: string): string {
  const zone = findZone(name)
  if (zone !== undefined) return zone
  throw new InputError("tz", `expected a time zone such as Europe/Lisbon or UTC, got ${JSON.stringify(name)}`)
}

interface FilterInput {
  readonly model?: string | undefined
  readonly provider?: string | undefined
  /** An API key, by its id or its name. */
  readonly key?: string | undefined
  /** `error`, `success`, a status code, or its beginning and `*`. */
  readonly status?: string | undefined
  /** `api` or `subscription`. */
  readonly billing?: string | undefined
  /** `gateway`, `telemetry` or `import`. */
  readonly source?: string | undefined
  /** Conditions on metadata: `Name=value`. */
  readonly where: readonly string[]
}

/**
 * Returns the filters of a report.
 *
 * @throws InputError for `status`, `billing`, `source` or `where`
 */
export function parseFilters({ model, provider, key, status, billing, source, where }: FilterInput): Filters {
  if (status !== undefined && !/^(error|success|\d{1,3}\*?)$/.test(status)) {
    throw new InputError("status", `expected error, success, a code such as 429, or 4*, got ${JSON.stringify(status)}`)
  }
  if (billing !== undefined && billing !== "api" && billing !== "subscription") {
    throw new InputError("billing", `expected api or subscription, got ${JSON.stringify(billing)}`)
  }
  if (source !== undefined && source !== "gateway" && source !== "telemetry" && source !== "import") {
    throw new InputError("source", `expected gateway, telemetry or import, got ${JSON.stringify(source)}`)
  }
  const conditions = Object.fromEntries(where.map(parseCondition))
  return { model, provider, key, status, billing, source, where: where.length === 0 ? undefined : conditions }
}

function parseCondition(text: string): readonly [name: string, value: string] {
  const at = text.indexOf("=")
  if (at < 1) throw new InputError("where", `expected Name=value, got ${JSON.stringify(text)}`)
  const name = text.slice(0, at)
  return [Object.hasOwn(METADATA_ALIASES, name) ? METADATA_ALIASES[name]! : toTrainCase(name), text.slice(at + 1)]
}

/**
 * Returns the dimensions that a text such as `key,model` names; none if it is undefined.
 *
 * @throws InputError for `by`
 */
export function parseDimensions(by: string | undefined): readonly Dimension[] {
  if (by === undefined) return []
  const names = by.split(",").map((name) => name.trim())
  if (names.length > 2) throw new InputError("by", "expected one or two dimensions, such as key,model")
  const dimensions = names.map(parseDimension)
  if (dimensions[0]!.name === dimensions[1]?.name) throw new InputError("by", "the two dimensions are the same")
  return dimensions
}

/** A word in lower case that is nearly a dimension is a typing error, and not the name of metadata. */
function parseDimension(name: string): Dimension {
  const known = [...Object.keys(DIMENSIONS), ...Object.keys(METADATA_ALIASES)]
  const meant = known.includes(name) || !/^[a-z]+$/.test(name) ? undefined : findNearest(name, known)
  const dimension = meant === undefined ? findDimension(name) : undefined
  if (dimension !== undefined) return dimension
  const hint = meant === undefined ? "" : `; did you mean ${meant}? (a metadata name begins with a capital)`
  throw new InputError(
    "by",
    `expected ${known.join(", ")} or a metadata name such as User-Id, got ${JSON.stringify(name)}${hint}`,
  )
}

/**
 * Returns the order that a text names; undefined if the text is.
 *
 * @throws InputError for `sort`
 */
export function parseSort<Sort extends string>(text: string | undefined, sorts: readonly Sort[]): Sort | undefined {
  if (text === undefined) return undefined
  const sort = sorts.find((each) => each === text)
  if (sort !== undefined) return sort
  throw new InputError("sort", `expected ${sorts.join(", ")}, got ${JSON.stringify(text)}`)
}
