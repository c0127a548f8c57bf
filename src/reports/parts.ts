import type { Bind } from "./_sql.ts"
import type { Dimension } from "./dimensions.ts"
import { type Filters, type Span, toCondition } from "./filters.ts"
import type { Ground } from "./ground.ts"
import type { Period } from "./period.ts"
import { type Plan, planUsage } from "./plan.ts"
import { BY_METADATA, DAILY, MEASURE_NAMES, ROWS, type Source } from "./sources.ts"

interface PartsQuestion {
  readonly by: readonly Dimension[]
  readonly period: Period
  readonly filters: Filters
}

type Sums = Extract<Plan, { from: "sums" }>

/**
 * Statements whose rows together hold every request of the period once, each with its groups (`d0`, `d1`) and its
 * measures. Measures may be negative where one part takes away what another counts too much.
 */
export function toParts(question: PartsQuestion, ground: Ground, bind: Bind): string[] {
  const plan = planUsage(question, ground)
  const rows = (span: Span) => toRowsPart(question, span, ground, bind)
  if (plan.from === "rows") return [rows(question.period)]
  const parts = [toSumsPart(question, plan, ground, bind), ...plan.edges.map(rows)]
  if (plan.metadata?.countsOthers) parts.push(...toOthersParts(question, plan, ground, bind))
  if (question.by.some(({ order }) => order === "time")) parts.push(toCrossingPart(question, plan, ground, bind))
  return parts
}

function toRowsPart({ by, period, filters }: PartsQuestion, span: Span, { indexed }: Ground, bind: Bind): string {
  const groups = by.map((dimension) => dimension.sql(ROWS, bind, period.tz)!)
  return select({ groups, source: ROWS, where: toCondition({ filters, span, indexed }, bind) })
}

function toSumsPart(question: PartsQuestion, plan: Sums, ground: Ground, bind: Bind): string {
  const groups = question.by.map((dimension) => dimension.sql(plan.source, bind, question.period.tz)!)
  return select({ groups, source: plan.source, where: toSumsCondition(question, plan, plan.source, ground, bind) })
}

/** Requests without the metadata name: all there are, less those that have it. */
function toOthersParts(question: PartsQuestion, plan: Sums, ground: Ground, bind: Bind): string[] {
  return [DAILY, BY_METADATA].map((source) => {
    const groups = question.by.map(({ metadata, sql }) =>
      metadata === undefined ? sql(source, bind, question.period.tz)! : "NULL::text",
    )
    const where = toSumsCondition(question, plan, source, ground, bind)
    return select({ groups, source, where, sign: source === BY_METADATA ? "-" : "" })
  })
}

/** The rows of stretches that lie across two groups, such as the hour in which a day of India begins. */
function toCrossingPart(question: PartsQuestion, plan: Sums, ground: Ground, bind: Bind): string {
  const { by, period, filters } = question
  // Sums of a metadata name have no stretch where nobody used it.
  const source = plan.source === BY_METADATA ? DAILY : plan.source
  const isOfSource = toCondition({ filters: {}, span: plan.span, source }, bind)
  const stretches = `SELECT DISTINCT ${source.at} AS start FROM ${source.table} r WHERE ${isOfSource} AND ${isCrossing(question, source, ground, bind)}`
  const groups = by.map((dimension) => dimension.sql(ROWS, bind, period.tz)!)
  return select({
    groups,
    source: ROWS,
    from: `(${stretches}) c JOIN llm_requests r ON ${ROWS.at} >= c.start AND ${ROWS.at} < c.start + interval '${source.stepMs} milliseconds'`,
    where: toCondition({ filters, indexed: ground.indexed }, bind),
  })
}

function toSumsCondition(question: PartsQuestion, plan: Sums, source: Source, ground: Ground, bind: Bind): string {
  const { by, filters } = question
  const conditions = [toCondition({ filters, span: plan.span, source }, bind)]
  if (source === BY_METADATA) conditions.push(`r.name = ${bind(plan.metadata!.name)}::text`)
  if (by.some(({ order }) => order === "time")) conditions.push(`NOT ${isCrossing(question, source, ground, bind)}`)
  return conditions.join(" AND ")
}

function isCrossing({ by, period }: PartsQuestion, source: Source, { prunedBefore }: Ground, bind: Bind): string {
  const last = { ...source, at: `(${source.at} + interval '${source.stepMs} milliseconds' - interval '1 microsecond')` }
  const crossings = by.flatMap((dimension) =>
    dimension.order === "time"
      ? [`${dimension.sql(source, bind, period.tz)} <> ${dimension.sql(last, bind, period.tz)}`]
      : [],
  )
  const isCut =
    prunedBefore === undefined ? "" : `${source.at} >= ${bind(new Date(prunedBefore).toISOString())}::timestamptz AND `
  return `(${isCut}(${crossings.join(" OR ")}))`
}

function select({
  groups,
  source,
  from = `${source.table} r`,
  where,
  sign = "",
}: {
  readonly groups: readonly string[]
  readonly source: Source
  readonly from?: string
  readonly where: string
  readonly sign?: "-" | ""
}): string {
  const columns = [
    ...groups.map((group, i) => `${group} AS d${i}`),
    ...MEASURE_NAMES.map((name) => `${sign}${source.measures[name]} AS ${name}`),
  ]
  const places = groups.map((_, i) => i + 1)
  return `SELECT ${columns.join(", ")} FROM ${from} WHERE ${where}${places.length === 0 ? "" : ` GROUP BY ${places.join(", ")}`}`
}
