import { toWall } from "./_zone.ts"
import type { Dimension } from "./dimensions.ts"
import type { Filters, Span } from "./filters.ts"
import type { Ground } from "./ground.ts"
import type { Period } from "./period.ts"
import { BY_METADATA, DAILY, HOURLY, MAX_NAME, type Source } from "./sources.ts"

/** From where a report reads which time. Together the spans are the period, and no moment is in two of them. */
export type Plan =
  | { readonly from: "rows" }
  | {
      readonly from: "sums"
      readonly source: Source
      /** Whole stretches of the source. */
      readonly span: Span
      /** What is left at the ends, where a stretch lies only partly in the period: read from the rows. */
      readonly edges: readonly Span[]
      /** The metadata name of `BY_METADATA`, and whether requests without it are a group of their own. */
      readonly metadata: { readonly name: string; readonly countsOthers: boolean } | undefined
    }

interface PlanQuestion {
  readonly by: readonly Dimension[]
  readonly period: Period
  readonly filters: Filters
}

const ROWS_ONLY: Plan = { from: "rows" }

/** Sums where they know all that is asked for, in the coarsest stretches that do not lie across too many groups. */
export function planUsage(question: PlanQuestion, ground: Ground): Plan {
  const metadata = findMetadata(question, ground)
  if (!ground.hasSums || metadata === "rows only") return ROWS_ONLY
  const source = metadata ? BY_METADATA : [HOURLY, DAILY].find((each) => knows(each, question))
  if (source === undefined || !knows(source, question) || crosses(source, question)) return ROWS_ONLY
  return { from: "sums", source, metadata, ...cut(question.period, source.stepMs, ground.prunedBefore) }
}

/** Whether the report leaves out requests of its period of which only sums are left. */
export function missesPruned(question: PlanQuestion, ground: Ground): boolean {
  const { prunedBefore } = ground
  return (
    prunedBefore !== undefined && question.period.since < prunedBefore && planUsage(question, ground).from === "rows"
  )
}

/** The one metadata name that is asked about; undefined: none. */
function findMetadata({ by, filters }: PlanQuestion, { summed, crowded }: Ground) {
  const where = Object.entries(filters.where ?? {})
  const divided = by.flatMap(({ metadata }) => metadata ?? [])
  const names = new Set([...divided, ...where.map(([name]) => name)])
  if (names.size === 0) return undefined
  const [name] = names
  const isExact = where.every(([each, value]) => !crowded.has(each) && value.length < MAX_NAME)
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

/** Whether nearly every stretch lies across two groups, as days of UTC do with days of another zone: sums are no use then. */
function crosses({ stepMs }: Source, { by, period }: PlanQuestion): boolean {
  const finest = by.some(({ name }) => name === "hour")
    ? HOURLY.stepMs
    : by.some(({ name }) => name === "day")
      ? DAILY.stepMs
      : 0
  if (finest === 0 || finest > stepMs) return false
  const shifts = [period.since, period.until ?? period.since].map(
    (at) => (toWall(at, period.tz) - Math.floor(at / 1000) * 1000) % stepMs,
  )
  return shifts.every((shift) => shift !== 0)
}

/** A stretch before `prunedBefore` cannot be cut any more: it counts where it begins. */
function cut({ since, until }: Period, stepMs: number, prunedBefore = Number.NEGATIVE_INFINITY) {
  const first = Math.ceil(since / stepMs) * stepMs
  const head = since < first && since >= prunedBefore
  if (until === undefined) return { span: { since: first }, edges: head ? [{ since, until: first }] : [] }
  const isPruned = until < prunedBefore
  const last = (isPruned ? Math.ceil(until / stepMs) : Math.floor(until / stepMs)) * stepMs
  if (last < first) return { span: { since: first, until: first }, edges: [{ since, until }] }
  return {
    span: { since: first, until: last },
    edges: [...(head ? [{ since, until: first }] : []), ...(last < until ? [{ since: last, until }] : [])],
  }
}
