import { createWallClock } from "./_zone.ts"
import type { Dimension } from "./dimensions.ts"
import type { Filters, Span } from "./filters.ts"
import type { Period } from "./period.ts"
import type { RollupState } from "./rollup-state.ts"
import { BY_METADATA, DAILY, HOURLY, HOURLY_KEYS, MAX_NAME, type Source } from "./sources.ts"

/** From where a report reads which time. Together the spans are the period, and no moment is in two of them. */
export type Plan =
  | { readonly from: "rows" }
  | {
      readonly from: "sums"
      readonly source: Source
      /** Whole stretches of the source. */
      readonly span: Span
      /** Hours where a day lies only partly in the period, from `HOURLY_KEYS`. */
      readonly hours: readonly Edge[]
      /** Where a stretch lies only partly in the period: rows that it lacks, or rows of it that are too many. */
      readonly edges: readonly Edge[]
      /** Whether some of the stretches may lie across two groups: those are read from the rows. */
      readonly crosses: boolean
      /** The metadata name of `BY_METADATA`, and whether requests without it are a group of their own. */
      readonly metadata: { readonly name: string; readonly countsOthers: boolean } | undefined
    }

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

/** Sums where they know all that is asked for, in the coarsest stretches that do not lie across too many groups. */
export function planUsage(question: PlanQuestion, ground: RollupState): Plan {
  const metadata = findMetadata(question, ground)
  if (!ground.hasRollups || metadata === "rows only") return ROWS_ONLY
  const hasTime = question.by.some(({ order }) => order === "time")
  const isCrossed = (source: Source) => hasTime && isShifted(source, question.period, ground.now)
  const able = (metadata ? [BY_METADATA] : SOURCES).filter((each) => knows(each, question))
  const source = able.find((each) => each !== DAILY || !able.includes(HOURLY_KEYS) || !isCrossed(DAILY))
  if (source === undefined) return ROWS_ONLY
  const crosses = isCrossed(source)
  if (crosses && question.by.some(({ name }) => STEPS[name] === source.stepMs)) return ROWS_ONLY
  // Of a crowded name it is not known under which value a row was counted: it cannot be taken away.
  const mayTake = metadata === undefined || !ground.overflowing.has(metadata.name)
  const cutting = { stepMs: source.stepMs, prunedBefore: ground.prunedBefore, mayTake }
  const { span, edges } = cut(question.period, cutting)
  const hasHours = source === DAILY && able.includes(HOURLY_KEYS)
  return {
    from: "sums",
    source,
    metadata,
    crosses,
    span,
    ...(hasHours ? toHours(edges, cutting) : { hours: [], edges }),
  }
}

/** The first that knows all that is asked; by key, hours take the place of days that lie across two groups. */
const SOURCES = [HOURLY, DAILY, HOURLY_KEYS]

/** Edges of days as hours, and what these lack or have too many as edges of theirs. */
function toHours(edges: readonly Edge[], cutting: Cutting): { readonly hours: Edge[]; readonly edges: Edge[] } {
  const cuts = edges.map(({ span, sign }) => ({ sign, ...cut(span, { ...cutting, stepMs: HOURLY_KEYS.stepMs }) }))
  return {
    hours: cuts.map(({ span, sign }) => ({ span, sign })),
    edges: cuts.flatMap(({ sign, edges }) => edges.map((edge) => ({ ...edge, sign: edge.sign === sign ? "+" : "-" }))),
  }
}

/** Whether the report is read from sums, but for the edges of its period. */
export function readsRollups(question: PlanQuestion, ground: RollupState): boolean {
  return planUsage(question, ground).from === "sums"
}

/** Whether the report leaves out requests of its period of which only sums are left. */
export function missesPrunedRows(question: PlanQuestion, ground: RollupState): boolean {
  const { prunedBefore } = ground
  return (
    prunedBefore !== undefined && question.period.since < prunedBefore && planUsage(question, ground).from === "rows"
  )
}

/** The one metadata name that is asked about; undefined: none. */
function findMetadata({ by, filters }: PlanQuestion, { summed, overflowing }: RollupState) {
  const where = Object.entries(filters.where ?? {})
  const divided = by.flatMap(({ metadata }) => metadata ?? [])
  const names = new Set([...divided, ...where.map(([name]) => name)])
  if (names.size === 0) return undefined
  const [name] = names
  const isExact = where.every(([each, value]) => !overflowing.has(each) && value.length < MAX_NAME)
  if (names.size > 1 || name === undefined || !summed.has(name) || !isExact) return "rows only"
  return { name, countsOthers: where.length === 0 }
}

function knows(source: Source, { by, filters }: PlanQuestion): boolean {
  const { columns } = source
  const { model, provider, key, status } = filters
  const isShort = (text: string | undefined) => text === undefined || text.length < MAX_NAME
  return (
    by.every((dimension) => dimension.sql(source, () => "", "UTC") !== undefined) &&
    !(source.stepMs > HOURLY.stepMs && by.some(({ name }) => name === "hour")) &&
    (model === undefined || columns.model !== undefined) &&
    (provider === undefined || columns.provider !== undefined) &&
    (key === undefined || columns.key !== undefined) &&
    status === undefined &&
    isShort(model) &&
    isShort(provider)
  )
}

/** Groups as long as a stretch: where those are shifted against each other, all stretches lie across two groups. */
const STEPS: Readonly<Record<string, number>> = { hour: HOURLY.stepMs, day: DAILY.stepMs }

/** No zone keeps an offset for less than that. */
const SAMPLE_MS = 3 * 24 * 3_600_000
const YEAR_MS = 366 * 24 * 3_600_000

/** Whether the zone's hours or days do, at any time of the period, begin at other moments than those of UTC. */
function isShifted({ stepMs }: Source, { since, until, tz }: Period, now: number): boolean {
  if (tz === "UTC") return false
  // Where the period has no end, rows may be from a clock that is ahead: all seasons to come are looked at.
  const end = Math.floor((until ?? Math.max(now, since) + YEAR_MS) / 1000) * 1000
  const read = createWallClock(tz)
  for (let at = Math.floor(since / 1000) * 1000; ; at = Math.min(at + SAMPLE_MS, end)) {
    if ((read(at) - at) % stepMs !== 0) return true
    if (at >= end) return false
  }
}

interface Cutting {
  readonly stepMs: number
  readonly prunedBefore: number | undefined
  readonly mayTake: boolean
}

/**
 * The whole stretches of a period, and the edges: what is missing is added, or where that is less, the whole stretch is
 * taken and the rest of it taken away. A stretch before `prunedBefore` has no rows any more: it counts where it begins.
 */
function cut(
  { since, until }: Pick<Period, "since"> & Span,
  cutting: Cutting,
): { readonly span: Edge["span"]; readonly edges: readonly Edge[] } {
  const { stepMs, prunedBefore = Number.NEGATIVE_INFINITY } = cutting
  const floor = (at: number) => Math.floor(at / stepMs) * stepMs
  const ceil = (at: number) => Math.ceil(at / stepMs) * stepMs
  if (until !== undefined && floor(until) < ceil(since) && until >= prunedBefore)
    return { span: { since: ceil(since), until: ceil(since) }, edges: [{ span: { since, until }, sign: "+" }] }
  const head = cutAt(since, [ceil(since), floor(since)], cutting)
  if (until === undefined) return { span: { since: head.at }, edges: head.edges }
  if (until < prunedBefore) return { span: { since: head.at, until: ceil(until) }, edges: head.edges }
  const tail = cutAt(until, [floor(until), ceil(until)], cutting)
  return { span: { since: head.at, until: tail.at }, edges: [...head.edges, ...tail.edges] }
}

/** Where the stretches begin or end instead of at `at`: inside the period, or outside and with rows taken away. */
function cutAt(at: number, [inside, outside]: readonly [number, number], { prunedBefore, mayTake }: Cutting) {
  if (prunedBefore !== undefined && at < prunedBefore) return { at: inside, edges: [] }
  const takes = mayTake && Math.abs(at - outside) < Math.abs(at - inside)
  const end = takes ? outside : inside
  const edge: Edge = { span: { since: Math.min(at, end), until: Math.max(at, end) }, sign: takes ? "-" : "+" }
  return { at: end, edges: at === end ? [] : [edge] }
}
