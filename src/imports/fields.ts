import { formatDecimal, fromNumber, parseLongDecimal, toMoney } from "../core/decimal.ts"
import { MAX_COUNT } from "../core/usage.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { RecordProblem } from "./problem.ts"

/** NUMERIC(20,12), the type of the cost columns, has eight digits before the point. */
const MAX_COST = 100_000_000

/**
 * The fields of one record, by their names. JSON gives values with types and CSV gives texts, so that every method takes both. Of
 * several names, the first that has a value counts: exports of one product differ in how they write a name.
 */
export class Fields {
  private readonly values: Readonly<Record<string, unknown>>
  /** Messages show it before the names of these fields. */
  private readonly path: string

  constructor(values: Readonly<Record<string, unknown>>, path = "") {
    this.values = values
    this.path = path
  }

  /** Whether the record has one of the fields, with or without a value. */
  has(...names: readonly string[]): boolean {
    return names.some((name) => Object.hasOwn(this.values, name))
  }

  private find(names: readonly string[]): { readonly name: string; readonly value: unknown } | undefined {
    for (const name of names) {
      if (!Object.hasOwn(this.values, name)) continue
      const value = this.values[name]
      if (value !== null && value !== undefined && value !== "") return { name: this.path + name, value }
    }
    return undefined
  }

  text(...names: readonly string[]): string | undefined {
    const found = this.find(names)
    if (found === undefined || typeof found.value === "object") return undefined
    return String(found.value)
  }

  /** @throws RecordProblem if there is none */
  requireText(...names: readonly string[]): string {
    const text = this.text(...names)
    if (text === undefined) throw new RecordProblem(`${this.path}${names[0]} is missing`)
    return text
  }

  /** Returns a whole number that is not negative; undefined if there is none. */
  count(...names: readonly string[]): number | undefined {
    const found = this.find(names)
    if (found === undefined) return undefined
    const value = Number(found.value)
    if (Number.isInteger(value) && value >= 0 && value <= MAX_COUNT) return value
    throw new RecordProblem(`${found.name} is not a whole number of 0 or more`)
  }

  /** Returns a cost in USD as a plain decimal with at most 12 digits after the point; undefined if there is none. */
  money(...names: readonly string[]): string | undefined {
    const found = this.find(names)
    if (found === undefined) return undefined
    const value = typeof found.value === "object" ? Number.NaN : Number(found.value)
    if (!(value >= 0 && value < MAX_COST)) throw new RecordProblem(`${found.name} is not a cost in USD`)
    const text = String(found.value)
    const exact = /^\d+(?:\.\d+)?$/.test(text) ? parseLongDecimal(text) : fromNumber(value)
    return formatDecimal(toMoney(exact))
  }

  /**
   * Returns a moment in milliseconds since the epoch; undefined if there is none. A time without a zone is UTC.
   */
  time(...names: readonly string[]): number | undefined {
    const found = this.find(names)
    if (found === undefined) return undefined
    const at = parseTime(String(found.value))
    if (at !== undefined) return at
    throw new RecordProblem(`${found.name} is not a time`)
  }

  /** @throws RecordProblem if there is none */
  requireTime(...names: readonly string[]): number {
    const at = this.time(...names)
    if (at === undefined) throw new RecordProblem(`${this.path}${names[0]} is missing`)
    return at
  }

  isTrue(...names: readonly string[]): boolean {
    return /^(?:true|t|1|yes)$/i.test(this.text(...names) ?? "")
  }

  /** Returns a JSON object, or one that is written as text; no fields if there is none. */
  object(...names: readonly string[]): Fields {
    const found = this.find(names)
    const value = typeof found?.value === "string" ? parseJson(found.value) : found?.value
    return new Fields(isRecord(value) ? value : {}, `${found?.name ?? names[0]}.`)
  }

  /** Returns the texts of a JSON array, or of one that is written as text or in the notation of PostgreSQL. */
  texts(...names: readonly string[]): readonly string[] {
    const found = this.find(names)
    const value = typeof found?.value === "string" ? parseJson(found.value) : found?.value
    if (Array.isArray(value)) return value.filter((each) => typeof each === "string")
    return []
  }

  /** All fields that have a text, a number or a boolean as their value. */
  plain(): readonly (readonly [name: string, value: string])[] {
    return Object.entries(this.values).flatMap(([name, value]) =>
      typeof value === "object" || value === undefined || value === "" ? [] : [[name, String(value)] as const],
    )
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `2026-11-01 10:00:00.123456+00`, ISO 8601, and milliseconds or seconds since the epoch. */
const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?))?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i
const EPOCH = /^\d{9,10}(?:\.\d+)?$|^\d{12,13}$/
/** Ids have 48 bits for a time, and a time before this year is a mistake. */
const FIRST_TIME = Date.UTC(2000, 0, 1)
const LAST_TIME = Date.UTC(2100, 0, 1)

function parseTime(text: string): number | undefined {
  const at = EPOCH.test(text) ? Math.round(Number(text) * (/^\d{12,13}$/.test(text) ? 1 : 1000)) : parseDate(text)
  return at !== undefined && at >= FIRST_TIME && at < LAST_TIME ? at : undefined
}

function parseDate(text: string): number | undefined {
  const match = TIME.exec(text.trim())
  if (match === null) return undefined
  const [, day, time = "00:00:00", zone = "Z"] = match
  const at = Date.parse(`${day}T${toMilliseconds(time)}${toOffset(zone)}`)
  return Number.isNaN(at) ? undefined : at
}

function toMilliseconds(time: string): string {
  const [whole = "", fraction] = time.split(/[.,]/)
  return fraction === undefined ? whole : `${whole}.${fraction.slice(0, 3).padEnd(3, "0")}`
}

function toOffset(zone: string): string {
  if (/^(?:Z|UTC)$/i.test(zone)) return "Z"
  const digits = zone.slice(1).replace(":", "").padEnd(4, "0")
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`
}
