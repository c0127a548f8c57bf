import { isRecord } from "../kit/json/is-record.ts"
import type { CatalogModel, CatalogPrices, CatalogProvider, DatedPrices, MatchRule } from "./catalog-model.ts"

/** The data of genai-prices as it was fetched. */
export interface CatalogData {
  /** The day on which it was fetched, because the data itself has none. */
  readonly day: string
  /** The number of its models. */
  readonly size: number
  readonly providers: readonly CatalogProvider[]
}

/** Data with fewer usable models than this is an error page or broken. */
const MIN_MODELS = 20
const MAX_RATE = 100_000
const MAX_TEXT = 256

/**
 * Parses the list of providers that genai-prices publishes for its own updates. A model that cannot be read completely
 * is left out, because a price without one of its conditions would be wrong.
 *
 * @throws Error that says what is wrong with the data
 */
export function parseCatalogData(body: unknown, fetchedAt: number): CatalogData {
  if (!Array.isArray(body)) throw new Error("expected a list of providers")
  const day = new Date(fetchedAt).toISOString().slice(0, 10)
  const providers = (body as readonly unknown[]).flatMap((each) => toProvider(each, day) ?? [])
  const size = providers.reduce((sum, { models }) => sum + models.length, 0)
  if (size < MIN_MODELS) throw new Error(`expected at least ${MIN_MODELS} usable models, got ${size}`)
  return { day, size, providers }
}

function toProvider(value: unknown, day: string): CatalogProvider | undefined {
  if (!isRecord(value) || !isName(value["id"]) || value["id"].includes("/")) return undefined
  const { id, api_pattern: pattern, fallback_model_providers: fallback, models } = value
  if (!isExpression(pattern) || !Array.isArray(models)) return undefined
  const usable = models.flatMap((model: unknown) => {
    const read = toModel(model)
    return read ? [{ ...read, day }] : []
  })
  const resold = Array.isArray(fallback) && fallback.every(isName) ? { fallback_model_providers: fallback } : {}
  return { id, api_pattern: pattern, ...resold, models: usable }
}

function toModel(value: unknown): CatalogModel | undefined {
  if (!isRecord(value) || !isName(value["id"])) return undefined
  const { id, match, context_window: context } = value
  const prices = parsePrices(value["prices"])
  if (prices === undefined || !isMatchRule(match, 0)) return undefined
  return isCount(context) ? { id, match, prices, context_window: context } : { id, match, prices }
}

/** Returns the prices of a model; undefined if a part of them is not known here. */
export function parsePrices(value: unknown): CatalogModel["prices"] | undefined {
  if (!Array.isArray(value)) return isPrices(value) ? value : undefined
  const dated = (value as readonly unknown[]).map(toDated)
  return dated.length > 0 && dated.every((each) => each !== undefined) ? dated : undefined
}

function toDated(value: unknown): DatedPrices | undefined {
  if (!isRecord(value) || Object.keys(value).some((key) => key !== "prices" && key !== "constraint")) return undefined
  const { prices, constraint } = value
  if (!isPrices(prices)) return undefined
  if (constraint === undefined || constraint === null) return { prices }
  const read = toConstraint(constraint)
  return read && { constraint: read, prices }
}

/** The published data has no `type`: the members tell one constraint from another. */
function toConstraint(value: unknown): DatedPrices["constraint"] {
  if (!isRecord(value)) return undefined
  const { type: _, ...members } = value
  const names = Object.keys(members).sort().join()
  const { start_date: day, start_time: start, end_time: end } = members
  if (names === "start_date" && isDay(day)) return { type: "start_date", start_date: day }
  return names === "end_time,start_time" && isTime(start) && isTime(end)
    ? { type: "time_of_date", start_time: start, end_time: end }
    : undefined
}

function isPrices(value: unknown): value is CatalogPrices {
  return isRecord(value) && Object.values(value).every(isPrice)
}

function isPrice(value: unknown): boolean {
  if (isRate(value)) return true
  if (!isRecord(value) || !isRate(value["base"]) || !Array.isArray(value["tiers"])) return false
  return value["tiers"].every((tier: unknown) => isRecord(tier) && isRate(tier["price"]) && isCount(tier["start"]))
}

const TEXT_RULES = ["equals", "starts_with", "ends_with", "contains"] as const
const MAX_DEPTH = 4

function isMatchRule(value: unknown, depth: number): value is MatchRule {
  if (!isRecord(value) || depth > MAX_DEPTH) return false
  const [name = "", ...more] = Object.keys(value)
  const rule = value[name]
  if (more.length > 0) return false
  if (name === "or" || name === "and") return Array.isArray(rule) && rule.every((each) => isMatchRule(each, depth + 1))
  return name === "regex" ? isExpression(rule) : (TEXT_RULES as readonly string[]).includes(name) && isName(rule)
}

/** A repeated group, such as `(a+)+`: matching it can take exponential time. */
const REPEATED_GROUP = /\)[*+{]/

/** Returns whether a text is a regular expression that is safe to run on the names that clients choose. */
function isExpression(value: unknown): value is string {
  if (typeof value !== "string" || value.length > MAX_TEXT || REPEATED_GROUP.test(value)) return false
  try {
    new RegExp(value)
    return true
  } catch {
    return false
  }
}

function isRate(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MAX_RATE
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_TEXT
}

function isDay(value: unknown): value is string {
  return typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))
}

function isTime(value: unknown): value is string {
  return typeof value === "string" && !Number.isNaN(Date.parse(`1970-01-01T${value}`))
}
