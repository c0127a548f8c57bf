import type { Bind } from "./_sql.ts"
import type { Dimension } from "./dimensions.ts"
import { type Filters, type Span, toCondition } from "./filters.ts"
import type { Period } from "./period.ts"
import { type Edge, type Plan, planUsage } from "./plan.ts"
import type { RollupState } from "./rollup-state.ts"
import { BY_METADATA, BY_METADATA_WEEK, DAILY, HOURLY_KEYS, MEASURE_NAMES, ROWS, type Source } from "./sources.ts"
import { type Piece, toPieces } from "./weeks.ts"

interface PartsQuestion {
  readonly by: readonly Dimension[]
  readonly period: Period
  readonly filters: Filters
}

/**
 * Statements with the groups (`d0`, `d1`) and the measures of requests, one group in any number of rows. Measures may be
 * negative where one takes away what another counts too much.
 */
export interface Parts {
  /** Together they hold every request of the period once; where there is `whole`, those that have the metadata name. */
  readonly named: readonly string[]
  /** Requests that are read one by one, in few rows: a statement may read them twice. */
  readonly edges: readonly string[]
  /** All requests but those of `edges`, with or without the metadata name, which is NULL here. */
  readonly whole?: string
}

type Sums = Extract<Plan, { from: "sums" }>

export function toParts(question: PartsQuestion, ground: RollupState, bind: Bind): Parts {
  const plan = planUsage(question, ground)
  const rows = ({ span, sign }: Edge) => toRowsPart(question, span, ground, bind, sign)
  if (plan.from === "rows") return { named: [rows({ span: question.period, sign: "+" })], edges: [] }
  const named = toSumsParts(question, plan, ground, bind)
  const edges = plan.edges.map(rows)
  if (plan.crosses) edges.push(toCrossingPart(question, plan, ground, bind))
  if (!plan.metadata?.countsOthers) return { named, edges }
  return { named, edges, whole: toWholePart(question, plan, ground, bind) }
}

function toRowsPart(
  { by, period, filters }: PartsQuestion,
  span: Span,
  { indexed }: RollupState,
  bind: Bind,
  sign: Edge["sign"],
): string {
  const groups = by.map((dimension) => dimension.sql(ROWS, bind, period.tz)!)
  return select({ groups, source: ROWS, where: toCondition({ filters, span, indexed }, bind), sign })
}

function toSumsParts(question: PartsQuestion, plan: Sums, ground: RollupState, bind: Bind): string[] {
  const hasTime = question.by.some(({ order }) => order === "time")
  const foldedBefore = plan.source === BY_METADATA && !hasTime ? ground.foldedBefore : undefined
  const ofPiece = (source: Source, { span, sign }: Pick<Piece, "span" | "sign">) => {
    const groups = question.by.map((dimension) => dimension.sql(source, bind, question.period.tz)!)
    return select({ groups, source, where: toSumsCondition(question, { ...plan, span }, source, ground, bind), sign })
  }
  const pieces = toPieces(plan.span, foldedBefore)
  return [
    ...pieces.map((piece) => ofPiece(piece.from === "weeks" ? BY_METADATA_WEEK : plan.source, piece)),
    ...plan.hours.map((hours) => ofPiece(HOURLY_KEYS, hours)),
  ]
}

/** What the sums of the metadata name leave out is found by what all requests add up to. */
function toWholePart(question: PartsQuestion, plan: Sums, ground: RollupState, bind: Bind): string {
  const groups = question.by.map(({ metadata, sql }) =>
    metadata === undefined ? sql(DAILY, bind, question.period.tz)! : "NULL::text",
  )
  return select({ groups, source: DAILY, where: toSumsCondition(question, plan, DAILY, ground, bind) })
}

/** The rows of stretches that lie across two groups, such as the hour in which a day of India begins. */
function toCrossingPart(question: PartsQuestion, plan: Sums, ground: RollupState, bind: Bind): string {
  const { by, period, filters } = question
  // Sums of a metadata name have no stretch where nobody used it.
  const source = plan.source === BY_METADATA ? DAILY : plan.source
  const isOfSource = toCondition({ filters: {}, span: plan.span, source }, bind)
  const stretches = `SELECT DISTINCT ${source.at} AS start FROM ${source.table} r WHERE ${isOfSource} AND ${isCrossing(question, source, ground, bind)}`
  const groups = by.map((dimension) => dimension.sql(ROWS, bind, period.tz)!)
  // OFFSET 0 keeps the planner from joining the other way round, which would read the whole table.
  const ofStretch = `SELECT * FROM llm_requests r WHERE ${ROWS.at} >= c.start AND ${ROWS.at} < c.start + interval '${source.stepMs} milliseconds' OFFSET 0`
  return select({
    groups,
    source: ROWS,
    from: `(${stretches}) c CROSS JOIN LATERAL (${ofStretch}) r`,
    where: toCondition({ filters, indexed: ground.indexed }, bind),
  })
}

function toSumsCondition(question: PartsQuestion, plan: Sums, source: Source, ground: RollupState, bind: Bind): string {
  const { filters } = question
  const conditions = [toCondition({ filters, span: plan.span, source }, bind)]
  if (source === BY_METADATA || source === BY_METADATA_WEEK)
    conditions.push(`r.name = ${bind(plan.metadata!.name)}::text`)
  if (plan.crosses) conditions.push(`NOT ${isCrossing(question, source, ground, bind)}`)
  return conditions.join(" AND ")
}

function isCrossing({ by, period }: PartsQuestion, source: Source, { prunedBefore }: RollupState, bind: Bind): string {
  const last = { ...source, at: `(${source.at} + interval '${source.stepMs} milliseconds' - interval '1 microsecond')` }
  const crossings = by.flatMap((dimension) =>
    dimension.order === "time"
      ? [`${dimension.sql(source, bind, period.tz)} <> ${dimension.sql(last, bind, period.tz)}`]
      : [],
  )
  const isTruncated =
    prunedBefore === undefined ? "" : `${source.at} >= ${bind(new Date(prunedBefore).toISOString())}::timestamptz AND `
  return `(${isTruncated}(${crossings.join(" OR ")}))`
}

function select({
  groups,
  source,
  from = `${source.table} r`,
  where,
  sign = "+",
}: {
  readonly groups: readonly string[]
  readonly source: Source
  readonly from?: string
  readonly where: string
  readonly sign?: Edge["sign"]
}): string {
  const signed = sign === "+" ? "" : sign // a plus would be worked out for each of many values
  const columns = [
    ...groups.map((group, i) => `${group} AS d${i}`),
    ...MEASURE_NAMES.map((name) => `${signed}${source.measures[name]} AS ${name}`),
  ]
  const places = source === ROWS ? groups.map((_, i) => i + 1) : []
  return `SELECT ${columns.join(", ")} FROM ${from} WHERE ${where}${places.length === 0 ? "" : ` GROUP BY ${places.join(", ")}`}`
}
