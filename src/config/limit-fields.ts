import { formatDecimal, fromNumber, parseDecimal } from "../core/decimal.ts"
import { LIMIT_MEASURES, LIMIT_WINDOWS, type Limit, MAX_VALUE_LENGTH } from "../core/limit.ts"
import { METADATA_ALIASES, parseMetadataName } from "../core/metadata-name.ts"
import { findZone } from "../core/time-zone.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { findNearest } from "./nearest.ts"

/** One field of a limit. */
export interface LimitField {
  /** Completes the text "expected …". */
  readonly expected: string
  /** The values that there are, of which the nearest is suggested. */
  readonly names?: readonly string[]
  /** Returns undefined for a value that is not valid. */
  parse(raw: unknown): unknown
}

const PER_NAMES = ["key", "model"]

/** The fields of a limit in JSON and YAML, in the order of the documentation. */
export const LIMIT_FIELDS = {
  name: {
    expected: `a name of at most ${MAX_VALUE_LENGTH} characters that does not have the form of an id`,
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
  per: { expected: "key, model or a metadata name such as User-Id", names: PER_NAMES, parse: parsePer },
  action: choice(["block", "warn"]),
  notify_at: { expected: "whole percentages from 1 to 1000, such as [50, 80, 100]", parse: parsePercentages },
  estimate: choice(["expected", "maximum"]),
  unpriced: choice(["allow", "block"]),
} as const satisfies Record<string, LimitField>

function choice<const T extends string>(names: readonly T[]): LimitField {
  return {
    expected: names.length === 2 ? names.join(" or ") : `one of ${names.join(", ")}`,
    names,
    parse: (raw) => names.find((name) => name === raw),
  }
}

function text(expected: string): LimitField {
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
  if (!isAlias && /^[a-z]+$/.test(raw) && findNearest(raw, PER_NAMES) !== undefined) return undefined
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
