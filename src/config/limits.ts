import { formatDecimal, parseDecimal } from "../core/decimal.ts"
import { CommandError } from "../core/errors.ts"
import type { Limit } from "../core/limit.ts"
import { explainInvisible } from "../core/text.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { LIMIT_FIELDS, type LimitField } from "./limit-fields.ts"
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

type FieldName = keyof typeof LIMIT_FIELDS

/**
 * Parses a limit with the fields of JSON and YAML, such as `{ name: "search", measure: "cost", amount: 50, window: "month" }`.
 * A field that is null, an empty text or an empty object is absent.
 *
 * @throws LimitFieldError for the first field that is not valid
 */
export function parseLimit(given: Readonly<Record<string, unknown>>): LimitDefinition {
  const values: Partial<Record<FieldName, unknown>> = {}
  for (const [name, raw] of Object.entries(given)) {
    if (!Object.hasOwn(LIMIT_FIELDS, name)) throw new LimitFieldError(name.slice(0, 60), explainUnknown(name))
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
  const field: LimitField = LIMIT_FIELDS[name]
  const problem = name === "name" && typeof raw === "string" ? explainInvisible(raw) : undefined
  if (problem !== undefined) throw new LimitFieldError(name, `the name ${problem}`)
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
  const names = Object.keys(LIMIT_FIELDS)
  const meant = findNearest(name, names)
  return `a limit has no such field${meant === undefined ? `; it has ${names.join(", ")}` : `; did you mean ${meant}?`}`
}

function missing(name: FieldName): never {
  throw new LimitFieldError(name, `expected ${LIMIT_FIELDS[name].expected}, got nothing`)
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
