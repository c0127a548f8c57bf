import { createTable } from "../core/table.ts"
import { findWallClock } from "./_zone.ts"
import type { Dimension } from "./dimensions.ts"
import type { Filters, Span } from "./filters.ts"
import type { Period } from "./period.ts"
import type { RollupState } from "./rollup-state.ts"
import { BY_METADATA, DAILY, HOURLY, HOURLY_KEYS, MAX_NAME, type Source } from "./sources.ts"

/** Which part of the period a report reads from which table. The parts cover the period, and no moment is in two of them. */
export type Plan =
  | { readonly from: "rows" }
  | {
      readonly from: "rollups"
      readonly source: Source
      /** The whole buckets of the source. */
      readonly span: Span
      /** The hours of days that are only partly in the period, read from `HOURLY_KEYS`. */
      readonly hours: readonly Edge[]
      /** The rows of buckets that are only partly in the period. */
      readonly edges: readonly Edge[]
      /** Whether a bucket can lie across two groups. Such buckets are read from the rows. */
      readonly crosses: boolean
      /** The metadata name of `BY_METADATA`, and whether the requests without it form a group. */
      readonly metadata: { readonly name: string; readonly countsOthers: boolean } | undefined
    }

/** An interval at the start or the end of a period, which is added to the whole buckets or subtracted from them. */
export interface Edge {
  readonly span: Span & { readonly since: number }
  readonly sign: "+" | "-"
}

interface PlanQuestion {
  readonly by: readonly Dimension[]
  readonly period: Period
  readonly filters: Filters
}

const ROWS_ONLY: Plan = { from: "rows" }

/** The candidates for a plan; the first that contains everything a question asks for is used. */
const SOURCES = [HOURLY, DAILY, HOURLY_KEYS]

/**
 * Plans to read rollups if they contain everything that the question asks for, and rows otherwise. For questions about keys,
 * hourly rollups replace daily ones if the days of the time zone lie across two days in UTC.
 */
export function planUsage(question: PlanQuestion, rollups: RollupState): Plan {
  const usual = toUsual(question.by)
  if (usual === undefined) return planTotals(question, rollups)
  const plan = planTotals({ ...question, by: usual }, rollups)
  if (plan.from === "rows") return plan
  // The unusual requests of the whole period are counted from their rows, and under their own metadata values.
  const { prunedBefore, overflowing } = rollups
  const isPruned = prunedBefore !== undefined && question.period.since < prunedBefore
  return isPruned || (plan.metadata !== undefined && overflowing.has(plan.metadata.name)) ? ROWS_ONLY : plan
}

/**
 * Returns the dimensions as they are for all requests but the unusual ones; undefined if that is no difference.
 */
export function toUsual(by: readonly Dimension[]): readonly Dimension[] | undefined {
  if (by.every(({ usual }) => usual === undefined)) return undefined
  return by.map((dimension) =>
    dimension.usual === undefined ? dimension : { ...dimension, sql: () => dimension.usual },
  )
}

function planTotals(question: PlanQuestion, rollups: RollupState): Plan {
  const metadata = findMetadata(question, rollups)
  if (!rollups.hasRollups || metadata === "rows only") return ROWS_ONLY
  const hasTime = question.by.some(({ order }) => order === "time")
  const isCrossed = (source: Source) => hasTime && isShifted(source, question.period, rollups.now)
  const able = (metadata ? [BY_METADATA] : SOURCES).filter((each) => containsAll(each, question))
  const source = able.find((each) => each !== DAILY || !able.includes(HOURLY_KEYS) || !isCrossed(DAILY))
  if (source === undefined) return ROWS_ONLY
  const crosses = isCrossed(source)
  if (crosses && question.by.some(({ name }) => STEPS[name] === source.stepMs)) return ROWS_ONLY
  // For an overflowing name it is unknown whether a row counted under its value or under `(other)`.
  const canSubtract = metadata === undefined || !rollups.overflowing.has(metadata.name)
  const splitting = { stepMs: source.stepMs, prunedBefore: rollups.prunedBefore, canSubtract }
  const { span, edges } = splitPeriod(question.period, splitting)
  const hasHours = source === DAILY && able.includes(HOURLY_KEYS)
  return {
    from: "rollups",
    source,
    metadata,
    crosses,
    span,
    ...(hasHours ? toHours(edges, splitting) : { hours: [], edges }),
  }
}

/** Splits the edges of days into whole hours and the edges of these hours. */
function toHours(edges: readonly Edge[], splitting: Splitting): { readonly hours: Edge[]; readonly edges: Edge[] } {
  const parts = edges.map(({ span, sign }) => ({
    sign,
    ...splitPeriod(span, { ...splitting, stepMs: HOURLY_KEYS.stepMs }),
  }))
  return {
    hours: parts.map(({ span, sign }) => ({ span, sign })),
    edges: parts.flatMap(({ sign, edges }) => edges.map((edge) => ({ ...edge, sign: edge.sign === sign ? "+" : "-" }))),
  }
}

/** Returns whether the report reads rollups, except at the edges of its period. */
export function readsRollups(question: PlanQuestion, rollups: RollupState): boolean {
  return planUsage(question, rollups).from === "rollups"
}

/** Returns whether the report misses requests of its period because their rows were pruned. */
export function missesPrunedRows(question: PlanQuestion, rollups: RollupState): boolean {
  const { prunedBefore } = rollups
  return (
    prunedBefore !== undefined && question.period.since < prunedBefore && planUsage(question, rollups).from === "rows"
  )
}

/**
 * Returns the metadata name in the question whose rollups lack requests of its period, and the midnight in UTC, in
 * milliseconds since the epoch, from which they are complete.
 */
export function findIncompleteName(
  question: PlanQuestion,
  rollups: RollupState,
): { readonly name: string; readonly since: number } | undefined {
  const plan = planUsage(question, rollups)
  const name = plan.from === "rollups" ? plan.metadata?.name : undefined
  const since = name === undefined ? undefined : rollups.summedSince.get(name)
  return name === undefined || since === undefined || question.period.since >= since ? undefined : { name, since }
}

/** Returns the one metadata name in the question, undefined if there is none, or "rows only" if rollups cannot answer. */
function findMetadata({ by, filters, period }: PlanQuestion, { summed, countedFrom, overflowing }: RollupState) {
  const where = Object.entries(filters.where ?? {})
  const divided = by.flatMap(({ metadata }) => metadata ?? [])
  const names = new Set([...divided, ...where.map(([name]) => name)])
  if (names.size === 0) return undefined
  const [name] = names
  const isExact = where.every(([each, value]) => value !== "" && !overflowing.has(each) && value.length < MAX_NAME)
  if (names.size > 1 || name === undefined || !isExact) return "rows only"
  const isCounted = summed.has(name) || period.since >= (countedFrom.get(name) ?? Number.POSITIVE_INFINITY)
  if (!isCounted) return "rows only"
  return { name, countsOthers: where.length === 0 }
}

/** Returns whether a source contains every dimension and filter of the question. */
function containsAll(source: Source, { by, filters }: PlanQuestion): boolean {
  const { columns } = source
  const { model, provider, key, status, billing, source: origin } = filters
  const isShort = (text: string | undefined) => text === undefined || text.length < MAX_NAME
  return (
    by.every((dimension) => dimension.sql(source, () => "", "UTC") !== undefined) &&
    !(source.stepMs > HOURLY.stepMs && by.some(({ name }) => name === "hour")) &&
    (model === undefined || columns.model !== undefined) &&
    (provider === undefined || columns.provider !== undefined) &&
    (key === undefined || columns.key !== undefined) &&
    status === undefined &&
    billing === undefined &&
    origin === undefined &&
    isShort(model) &&
    isShort(provider)
  )
}

/** Groups that are as long as a bucket. If they are shifted against the buckets, every bucket lies across two groups. */
const STEPS: Readonly<Record<string, number>> = createTable({ hour: HOURLY.stepMs, day: DAILY.stepMs })

/** The interval at which offsets are sampled. No time zone keeps an offset for less than that. */
const SAMPLE_MS = 3 * 24 * 3_600_000
const YEAR_MS = 366 * 24 * 3_600_000

/** Returns whether hours or days of the time zone begin at other moments than those of UTC, at any time of the period. */
function isShifted({ stepMs }: Source, { since, until, tz }: Period, now: number): boolean {
  if (tz === "UTC") return false
  // A period without an end can contain rows of a clock that is ahead, so all offsets of the next year are sampled.
  const end = Math.floor((until ?? Math.max(now, since) + YEAR_MS) / 1000) * 1000
  const read = findWallClock(tz)
  for (let at = Math.floor(since / 1000) * 1000; ; at = Math.min(at + SAMPLE_MS, end)) {
    if ((read(at) - at) % stepMs !== 0) return true
    if (at >= end) return false
  }
}

/** How a period is split into buckets. */
interface Splitting {
  readonly stepMs: number
  readonly prunedBefore: number | undefined
  readonly canSubtract: boolean
}

/**
 * Splits a period into whole buckets and edges. An edge adds the rows that the buckets lack. Where that is less, the whole
 * bucket is read instead and the edge subtracts its remaining rows. A bucket before `prunedBefore` has no rows any more, so
 * all of it counts at the moment when it begins.
 */
export function splitPeriod(
  { since, until }: Pick<Period, "since"> & Span,
  splitting: Splitting,
): { readonly span: Edge["span"]; readonly edges: readonly Edge[] } {
  const { stepMs, prunedBefore = Number.NEGATIVE_INFINITY } = splitting
  const floor = (at: number) => Math.floor(at / stepMs) * stepMs
  const ceil = (at: number) => Math.ceil(at / stepMs) * stepMs
  if (until !== undefined && floor(until) < ceil(since) && until >= prunedBefore)
    return { span: { since: ceil(since), until: ceil(since) }, edges: [{ span: { since, until }, sign: "+" }] }
  const head = splitAt(since, [ceil(since), floor(since)], splitting)
  if (until === undefined) return { span: { since: head.at }, edges: head.edges }
  if (until < prunedBefore) return { span: { since: head.at, until: ceil(until) }, edges: head.edges }
  const tail = splitAt(until, [floor(until), ceil(until)], splitting)
  return { span: { since: head.at, until: tail.at }, edges: [...head.edges, ...tail.edges] }
}

/** Moves an end of a period to a bucket's limit: inside of the period, or outside of it with an edge that is subtracted. */
function splitAt(at: number, [inside, outside]: readonly [number, number], { prunedBefore, canSubtract }: Splitting) {
  if (prunedBefore !== undefined && at < prunedBefore) return { at: inside, edges: [] }
  const subtracts = canSubtract && Math.abs(at - outside) < Math.abs(at - inside)
  const end = subtracts ? outside : inside
  const edge: Edge = { span: { since: Math.min(at, end), until: Math.max(at, end) }, sign: subtracts ? "-" : "+" }
  return { at: end, edges: at === end ? [] : [edge] }
}
