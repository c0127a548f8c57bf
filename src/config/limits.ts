import { formatDecimal, fromNumber, parseDecimal } from "../core/decimal.ts"
import { CommandError } from "../core/errors.ts"
import { LIMIT_MEASURES, LIMIT_WINDOWS, type Limit, MAX_VALUE_LENGTH } from "../core/limit.ts"
import { METADATA_ALIASES, parseMetadataName } from "../core/metadata-name.ts"
import { findZone } from "../core/time-zone.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { findNearest } from "./nearest.ts"
import { showValue } from "./sources.ts"
import { INVALID, type ValueParser } from "./value-parsers.ts"

/** A limit as somebody wrote it. `key` is the id or the name of an API key. */
export type LimitDefinition = Omit<Limit, "id" | "source">

/** A field of a limit is not valid. */
export class LimitFieldError extends CommandError {
  readonly field: string
  /** The expected and the actual value, without the field's name. */
  readonly problem: string

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`, 2)
    this.field = field
    this.problem = problem
  }
}

interface Field {
  /** Completes the text "expected …". */
  readonly expected: string
  /** The values that there are, of which the nearest is suggested. */
  readonly names?: readonly string[]
  /** Returns undefined for a value that is not valid. */
  parse(raw: unknown): unknown
}

/** The fields of a limit in JSON and YAML. */
const FIELDS = {
  name: {
    expected: `a name of at most ${MAX_VALUE_LENGTH} characters that has not the form of an id`,
    parse: (raw) => (isText(raw) && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(raw) ? raw.trim() : undefined),
  },
  measure: choice(LIMIT_MEASURES),
  amount: { expected: "a plain decimal that is not negative, such as 50 or 0.25", parse: parseAmount },
  window: choice(LIMIT_WINDOWS),
  tz: {
    expected: "a time zone such as Europe/Berlin or UTC",
    parse: (raw) => (typeof raw === "string" ? findZone(raw) : undefined),
  },
  key: text("the id or the name of an API key"),
  provider: { ...text("the name of a provider"), parse: (raw) => (isText(raw) ? raw.trim().toLowerCase() : undefined) },
  model: {
    expected: "a model such as gpt-5, or gpt-5* for all that begin with gpt-5",
    parse: (raw) => (isText(raw) && !raw.slice(0, -1).includes("*") ? raw : undefined),
  },
  where: { expected: "values by metadata name, such as { Team: search }", parse: parseWhere },
  per: { expected: "key, model or a metadata name such as User-Id", names: ["key", "model"], parse: parsePer },
  action: choice(["block", "warn"]),
  notify_at: { expected: "whole percentages from 1 to 1000, such as [50, 80, 100]", parse: parsePercentages },
  estimate: choice(["expected", "maximum"]),
  unpriced: choice(["allow", "block"]),
} as const satisfies Record<string, Field>

type FieldName = keyof typeof FIELDS

/** The names of the fields, in the order of the documentation. */
export const LIMIT_FIELDS = Object.keys(FIELDS) as readonly FieldName[]

/**
 * Parses a limit with the fields of JSON and YAML, such as `{ name: "search", measure: "cost", amount: 50, window: "month" }`.
 * A field that is null, an empty text or an empty object is absent.
 *
 * @throws LimitFieldError for the first field that is not valid
 */
export function parseLimit(given: Readonly<Record<string, unknown>>): LimitDefinition {
  const values: Partial<Record<FieldName, unknown>> = {}
  for (const [name, raw] of Object.entries(given)) {
    if (!Object.hasOwn(FIELDS, name)) throw new LimitFieldError(name.slice(0, 60), explainUnknown(name))
    if (isAbsent(raw)) continue
    values[name as FieldName] = parseField(name as FieldName, raw)
  }
  const isConcurrency = values.measure === "concurrency"
  const limit = {
    name: values.name ?? missing("name"),
    measure: values.measure ?? missing("measure"),
    amount: values.amount ?? missing("amount"),
    window: values.window ?? (isConcurrency ? "total" : missing("window")),
    tz: values.tz ?? "UTC",
    key: values.key,
    provider: values.provider,
    model: values.model,
    where: values.where,
    per: values.per,
    action: values.action ?? "block",
    notifyAt: values.notify_at ?? [],
    estimate: values.estimate ?? "expected",
    unpriced: values.unpriced ?? "allow",
  } as LimitDefinition
  checkTogether(limit)
  return limit
}

/** The limits of the configuration: a list of them. Text is parsed as JSON. */
export const limitList: ValueParser<readonly LimitDefinition[], ""> = {
  unit: "",
  expected: "a list of limits, each with name, measure, amount and window",
  parse: (raw) => {
    const { limits } = parseList(raw)
    return limits ?? INVALID
  },
  explain: (raw) => {
    const { field, problem } = parseList(raw).error!
    return { path: field, why: problem }
  },
}

function parseList(raw: unknown): {
  readonly limits?: readonly LimitDefinition[]
  readonly error?: LimitFieldError
} {
  try {
    return { limits: parseLimitList(typeof raw === "string" ? parseJson(raw) : raw) }
  } catch (error) {
    if (error instanceof LimitFieldError) return { error }
    throw error
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** @throws LimitFieldError whose field begins with the position, such as `[2].amount` */
function parseLimitList(given: unknown): readonly LimitDefinition[] {
  if (!Array.isArray(given)) throw new LimitFieldError("", `expected a list of limits, got ${showValue(given)}`)
  const limits = given.map((each: unknown, index) => {
    if (!isRecord(each)) throw new LimitFieldError(`[${index}]`, `expected a limit, got ${showValue(each)}`)
    try {
      return parseLimit(each)
    } catch (error) {
      if (!(error instanceof LimitFieldError)) throw error
      throw new LimitFieldError(`[${index}].${error.field}`, error.problem)
    }
  })
  const seen = new Set<string>()
  for (const [index, { name }] of limits.entries()) {
    if (seen.has(name)) throw new LimitFieldError(`[${index}].name`, `another limit is called ${showValue(name)} too`)
    seen.add(name)
  }
  return limits
}

/** Returns the fields of a limit as JSON and YAML have them, those that are absent as null. */
export function toLimitFields(limit: LimitDefinition) {
  return {
    name: limit.name,
    measure: limit.measure,
    amount: limit.amount,
    window: limit.window,
    tz: limit.tz,
    key: limit.key ?? null,
    provider: limit.provider ?? null,
    model: limit.model ?? null,
    where: limit.where ?? {},
    per: limit.per ?? null,
    action: limit.action,
    notify_at: limit.notifyAt,
    estimate: limit.estimate,
    unpriced: limit.unpriced,
  }
}

function parseField(name: FieldName, raw: unknown): unknown {
  const field: Field = FIELDS[name]
  const value = field.parse(raw)
  if (value !== undefined) return value
  const meant = typeof raw === "string" ? findNearest(raw, field.names ?? []) : undefined
  throw new LimitFieldError(
    name,
    `expected ${field.expected}, got ${showValue(raw)}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
  )
}

function isAbsent(raw: unknown): boolean {
  return raw === undefined || raw === null || raw === "" || (isRecord(raw) && Object.keys(raw).length === 0)
}

function explainUnknown(name: string): string {
  const meant = findNearest(name, LIMIT_FIELDS)
  return `a limit has no such field${meant === undefined ? `; it has ${LIMIT_FIELDS.join(", ")}` : `; did you mean ${meant}?`}`
}

function missing(name: FieldName): never {
  throw new LimitFieldError(name, `expected ${FIELDS[name].expected}, got nothing`)
}

/** USD in memory are whole numbers of 10^-9 USD, which are exact up to 9 million USD. */
const MAX_AMOUNTS = { cost: parseDecimal("9000000"), other: parseDecimal("9000000000000000") }

function checkTogether({ measure, amount, window, unpriced }: LimitDefinition): void {
  const isCost = measure === "cost"
  if (!isCost && amount.includes(".")) {
    throw new LimitFieldError("amount", `expected a whole number, because the measure is ${measure}, got ${amount}`)
  }
  if ((amount.split(".")[1] ?? "").length > 9) {
    throw new LimitFieldError("amount", `expected at most 9 digits after the point, got ${amount}`)
  }
  const most = MAX_AMOUNTS[isCost ? "cost" : "other"]
  if (parseDecimal(amount) > most) {
    throw new LimitFieldError("amount", `expected at most ${formatDecimal(most)}, got ${amount}`)
  }
  if (measure === "concurrency" && window !== "total") {
    throw new LimitFieldError(
      "window",
      `expected none, because a limit on concurrency counts the requests that are running, got ${showValue(window)}`,
    )
  }
  if (!isCost && unpriced === "block") {
    throw new LimitFieldError("unpriced", `only a limit on cost can block models without a price, got ${measure}`)
  }
}

function choice<const T extends string>(names: readonly T[]): Field {
  return {
    expected: names.length === 2 ? names.join(" or ") : `one of ${names.join(", ")}`,
    names,
    parse: (raw) => names.find((name) => name === raw),
  }
}

function text(expected: string): Field {
  return { expected, parse: (raw) => (isText(raw) ? raw.trim() : undefined) }
}

/** A text that PostgreSQL can store and that people can read on one line. */
function isText(raw: unknown): raw is string {
  return (
    typeof raw === "string" &&
    raw.trim() !== "" &&
    [...raw].length <= MAX_VALUE_LENGTH &&
    !/[\p{Cc}\p{Surrogate}]/u.test(raw)
  )
}

function parseAmount(raw: unknown): string | undefined {
  try {
    const value = typeof raw === "number" ? fromNumber(raw) : typeof raw === "string" ? parseDecimal(raw) : -1n
    return value < 0n ? undefined : formatDecimal(value)
  } catch {
    return undefined
  }
}

function parseWhere(raw: unknown): Limit["where"] | undefined {
  if (!isRecord(raw)) return undefined
  const pairs = Object.entries(raw).map(([name, value]) => {
    const written = typeof value === "number" || typeof value === "boolean" ? String(value) : value
    return [toMetadataName(name), typeof written === "string" && isText(written) ? written : undefined] as const
  })
  if (pairs.some(([name, value]) => name === undefined || value === undefined)) return undefined
  return Object.fromEntries(pairs)
}

/** A word in lower case that is nearly `key` or `model` is a typing error, and not the name of metadata. */
function parsePer(raw: unknown): string | undefined {
  if (raw === "key" || raw === "model") return raw
  if (typeof raw !== "string") return undefined
  const isAlias = Object.hasOwn(METADATA_ALIASES, raw)
  if (!isAlias && /^[a-z]+$/.test(raw) && findNearest(raw, FIELDS.per.names) !== undefined) return undefined
  return toMetadataName(raw)
}

function toMetadataName(text: string): string | undefined {
  return Object.hasOwn(METADATA_ALIASES, text) ? METADATA_ALIASES[text] : parseMetadataName(text)
}

function parsePercentages(raw: unknown): readonly number[] | undefined {
  const list = Array.isArray(raw) ? raw : [raw]
  const isValid = list.every((each) => Number.isInteger(each) && each >= 1 && each <= 1000)
  return isValid ? [...new Set(list as number[])].sort((a, b) => a - b) : undefined
}
