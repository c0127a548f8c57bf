import { findNearest } from "../../config/nearest.ts"
import {
  DIMENSIONS,
  type Dimension,
  type Filters,
  findDimension,
  findZone,
  METADATA_ALIASES,
  MOMENTS,
  type Period,
  parseMoment,
  toTrainCase,
} from "../../reports/index.ts"
import { InputError } from "../input-error.ts"

export { type Dimension, MOMENTS, type Period }

/** A period in the words of a person, such as `7d` or `2026-11-01`. */
interface PeriodInput {
  readonly since: string
  readonly until?: string | undefined
  /** A time zone that `parseZone` has returned. */
  readonly tz: string
}

/**
 * Returns the period that two moments mean.
 *
 * @param now the current time in ms since the epoch, from which `7d` and `today` count
 * @throws InputError for `since` or `until`
 */
export function parsePeriod({ since, until, tz }: PeriodInput, now: number): Period {
  const parse = (field: "since" | "until", text: string) => {
    const at = parseMoment(text, field, { now, tz })
    if (at !== undefined) return at
    throw new InputError(field, `expected ${MOMENTS}, got ${JSON.stringify(text)}`)
  }
  const period = { since: parse("since", since), until: until === undefined ? undefined : parse("until", until), tz }
  if (period.until !== undefined && period.until <= period.since) {
    throw new InputError("until", "expected a moment later than since")
  }
  return period
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
  /** Conditions on metadata: `Name=value`. */
  readonly where: readonly string[]
}

/**
 * Returns the filters of a report.
 *
 * @throws InputError for `status`, `billing` or `where`
 */
export function parseFilters({ model, provider, key, status, billing, where }: FilterInput): Filters {
  if (status !== undefined && !/^(error|success|\d{1,3}\*?)$/.test(status)) {
    throw new InputError("status", `expected error, success, a code such as 429, or 4*, got ${JSON.stringify(status)}`)
  }
  if (billing !== undefined && billing !== "api" && billing !== "subscription") {
    throw new InputError("billing", `expected api or subscription, got ${JSON.stringify(billing)}`)
  }
  const conditions = Object.fromEntries(where.map(parseCondition))
  return { model, provider, key, status, billing, where: where.length === 0 ? undefined : conditions }
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
