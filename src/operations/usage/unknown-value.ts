import { findNearest } from "../../config/nearest.ts"
import { listKeys } from "../../database/keys.ts"
import { listMetadata } from "../../database/metadata.ts"
import { DIMENSIONS, type Dimension, type Filters, metadataDimension, type Period } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { matchNamed } from "../named.ts"
import { withAsker } from "./asker.ts"

/** A value of a filter that no request has, which is probably a typing error. */
export interface UnknownValue {
  /** The filter: `model`, `provider`, `key` or `where`. */
  readonly field: string
  /** In words, such as `the metadata Feature`. */
  readonly noun: string
  readonly value: string
  /** Values that requests have: those that are similar, or else those with the highest cost. */
  readonly known: readonly string[]
  readonly is_similar: boolean
}

interface Question {
  readonly filters: Filters
  readonly period: Period
}

const MAX_NAMED = 5
const MAX_VALUES = 1000
/** The values of metadata of this time are known ones. Without rollups, they are read from the rows (30 days). */
const METADATA_MS = 30 * 86_400_000

/** Returns the first value among the filters that no request has; undefined if requests have each of them. */
export async function findUnknownValue(
  context: Context<"database" | "now">,
  { filters, period }: Question,
): Promise<UnknownValue | undefined> {
  const { database, now } = context
  const always = { since: 0, until: undefined, tz: period.tz }
  const listValues = (by: Dimension, within: Period) =>
    withAsker(database, async ({ ask }) => {
      const { rows } = await ask({ by: [by], period: within, filters: {}, limit: MAX_VALUES })
      return rows.flatMap(({ values }) => (values[0] === null || values[0] === "" ? [] : [String(values[0])]))
    })
  for (const field of ["model", "provider"] as const) {
    const value = field === "provider" ? filters.provider?.toLowerCase() : filters.model
    if (value === undefined) continue
    const unknown = compare(field, `the ${field}`, value, await listValues(DIMENSIONS[field]!, always))
    if (unknown !== undefined) return unknown
  }
  if (filters.key !== undefined) {
    const keys = await listKeys(database)
    const names = [...new Set(keys.map(({ name }) => name))]
    const unknown = compare("key", "the API key", filters.key, names)
    if (unknown !== undefined && matchNamed(filters.key, keys).length === 0) return unknown
  }
  const recent = { ...always, since: Math.min(period.since, now() - METADATA_MS) }
  const wanted = Object.entries(filters.where ?? {})
  const names = wanted.length === 0 ? [] : (await listMetadata(database, false)).map((known) => known.name)
  for (const [name, value] of wanted) {
    const unknown =
      compare("where", "metadata of the name", name, names) ??
      (value === ""
        ? undefined
        : compare("where", `the metadata ${name}`, value, await listValues(metadataDimension(name), recent)))
    if (unknown !== undefined) return unknown
  }
  return undefined
}

function compare(field: string, noun: string, value: string, known: readonly string[]): UnknownValue | undefined {
  const isKnown = value.endsWith("*")
    ? known.some((each) => each.startsWith(value.slice(0, -1)))
    : known.includes(value) || known.length >= MAX_VALUES
  if (isKnown) return undefined
  const similar = findSimilar(value.replace(/\*$/, ""), known)
  const named = similar.length > 0 ? similar : known
  return { field, noun, value, known: named.slice(0, MAX_NAMED), is_similar: similar.length > 0 }
}

/** Returns the values that somebody may have meant: the nearest one, and those that contain the text or are in it. */
function findSimilar(typed: string, known: readonly string[]): string[] {
  const text = typed.toLowerCase()
  const related = known.filter((each) => each.toLowerCase().includes(text) || text.includes(each.toLowerCase()))
  const nearest = findNearest(typed, known)
  return [...new Set([...(nearest === undefined ? [] : [nearest]), ...related])]
}
