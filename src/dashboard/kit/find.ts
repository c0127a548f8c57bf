import { useMemo } from "preact/hooks"
import { type Query, useQuery } from "./query.ts"
import { type Question, withFilter } from "./question.ts"
import { type MetadataName, readValue, toTitle, type UsageReport } from "./usage.ts"

/** Something that can be found by its name. */
export interface Target {
  /** What it is: `Model`, `User-Id`, `Page`. */
  readonly kind: string
  readonly text: string
  readonly href: string
}

/** The values of a dimension that are loaded. Others are found by typing them completely. */
const MAX_VALUES = 300
const MAX_SHOWN = 12
const FIXED = ["model", "key", "provider", "status"]
/** More names would be more requests than a reader waits for. */
const MAX_NAMES = 6

const NAMES_ONLY = { values: "skip" } as const

/** The metadata names that requests carried, those first by which reports are fast. */
export function useMetadataNames(isWanted = true): readonly MetadataName[] {
  const { data } = useQuery<readonly MetadataName[]>(isWanted ? "/metadata" : undefined, NAMES_ONLY)
  return useMemo(
    () =>
      (data ?? [])
        .filter(({ requests }) => requests > 0)
        .sort((one, other) => Number(one.active === "none") - Number(other.active === "none")),
    [data],
  )
}

/** Every value that filters the page: models, keys, providers, and the values of metadata. */
export function useTargets(question: Question, isWanted: boolean): readonly Target[] {
  const names = useMetadataNames(isWanted).map(({ name }) => name)
  const { since, until, tz } = question.input
  const ask = (by: string | undefined): Query<UsageReport> =>
    useQuery<UsageReport>(isWanted && by !== undefined ? "/usage" : undefined, {
      by,
      since,
      until,
      tz,
      limit: MAX_VALUES,
    })
  const fixed = FIXED.map(ask)
  const named = Array.from({ length: MAX_NAMES }, (_, i) => ask(names[i]))
  const asked = [...fixed, ...named]
  const reports = asked.map(({ data }) => data)
  // Until all values are known, a value that somebody types may be that of any name.
  const isWaiting = asked.some(({ isLoading }) => isLoading)
  return useMemo(() => {
    const dimensions = [...FIXED, ...names.slice(0, MAX_NAMES)]
    const typed = names.map((name) => ({
      kind: name,
      text: "",
      href: question.href(withFilter(question.params, { name, value: "" })),
    }))
    const known = reports.flatMap((report, i) =>
      (report?.rows ?? []).flatMap((row) => toTarget(question, dimensions[i]!, row)),
    )
    return isWaiting ? known : [...known, ...typed]
  }, [question, names.join("\n"), isWaiting, ...reports])
}

function toTarget(question: Question, dimension: string, row: UsageReport["rows"][number]): Target[] {
  const { text, filter } = readValue(row, dimension)
  if (filter === undefined) return []
  const href = question.href(withFilter(question.params, { name: dimension, value: filter }))
  return [{ kind: toTitle(dimension), text, href }]
}

/**
 * Returns the targets that a text may mean: those that begin with it before those that contain it. `User-Id=42` and
 * `user-id 42` search only values of User-Id, and are offered as a filter even if no such value is known.
 */
export function findTargets(targets: readonly Target[], typed: string, question: Question): readonly Target[] {
  const text = typed.trim().toLowerCase()
  const known = targets.filter((target) => target.text !== "")
  if (text === "") return known.slice(0, MAX_SHOWN)
  const ranked = known
    .map((target) => ({ target, rank: rankOf(target, text) }))
    .filter(({ rank }) => rank > 0)
    .sort((one, other) => other.rank - one.rank)
    .map(({ target }) => target)
  const free = targets
    .filter((target) => target.text === "")
    .flatMap(({ kind }) => toFree(kind, typed.trim(), question))
  return [...ranked.slice(0, MAX_SHOWN), ...free.slice(0, ranked.length === 0 ? MAX_SHOWN : 4)]
}

function rankOf({ kind, text }: Target, wanted: string): number {
  const value = text.toLowerCase()
  if (value === wanted) return 4
  if (value.startsWith(wanted)) return 3
  if (value.includes(wanted)) return 2
  const both = `${kind} ${text}`.toLowerCase()
  return both.startsWith(wanted.replace("=", " ")) ? 1 : 0
}

function toFree(name: string, typed: string, question: Question): Target[] {
  const prefix = `${name.toLowerCase()}=`
  const value = typed.toLowerCase().startsWith(prefix) ? typed.slice(prefix.length) : typed.includes("=") ? "" : typed
  if (value === "") return []
  return [{ kind: name, text: value, href: question.href(withFilter(question.params, { name, value })) }]
}
