import type { Bind } from "./_sql.ts"
import type { Dimension } from "./dimensions.ts"
import { type Filters, type Span, toCondition } from "./filters.ts"
import type { Period } from "./period.ts"
import { type Edge, type Plan, planUsage, toUsual } from "./plan.ts"
import type { RollupState } from "./rollup-state.ts"
import { BY_METADATA, BY_METADATA_WEEK, DAILY, HOURLY_KEYS, type MeasureName, ROWS, type Source } from "./sources.ts"
import { type Piece, toPieces } from "./weeks.ts"

/** The inputs of every part: the question, the numbers it asks for, the state of the rollups, and the statement's values. */
export interface PartsContext {
  readonly question: {
    readonly by: readonly Dimension[]
    readonly period: Period
    readonly filters: Filters
  }
  readonly measures: readonly MeasureName[]
  readonly rollups: RollupState
  readonly bind: Bind
}

/**
 * The statements that a report combines. Each selects groups (`d0`, `d1`) and measures, with any number of rows per
 * group. Measures are negative where a part subtracts what another part counts in excess.
 */
interface Parts {
  /**
   * Together these parts and `edges` count every request of the period once, or with `all` those with the metadata
   * name.
   */
  readonly named: readonly string[]
  /** Parts that read individual requests. They have few rows, so a statement can read them twice. */
  readonly edges: readonly string[]
  /** All requests except those in `edges`, with or without the metadata name. The name's column is NULL here. */
  readonly all?: string
}

export type RollupPlan = Extract<Plan, { from: "rollups" }>

/** Plans the question and returns the statements of the plan. */
export function toParts(context: PartsContext): Parts {
  const { question } = context
  const plan = planUsage(question, context.rollups)
  if (plan.from === "rows") return { named: [toRowsPart(context, { span: question.period, sign: "+" })], edges: [] }
  const by = toUsual(question.by)
  if (by === undefined) return toTotals(context, plan)
  // All requests count as usual ones, and then those that are not change their group.
  const parts = toTotals({ ...context, question: { ...question, by } }, plan)
  return { ...parts, edges: [...parts.edges, toUnusualPart(context)] }
}

/** Reads the unusual requests once: each counts in its own group, and no longer in that of the usual ones. */
function toUnusualPart(context: PartsContext): string {
  const { question, measures } = context
  const rows = toRowsPart(context, { span: question.period, sign: "+", isUnusual: true })
  const groups = question.by.map(({ usual }, i) =>
    usual === undefined ? `d${i}` : `CASE WHEN sign > 0 THEN d${i} ELSE ${usual} END AS d${i}`,
  )
  const signed = measures.map((name) => `sign * ${name} AS ${name}`)
  return `SELECT ${[...groups, ...signed].join(", ")} FROM (${rows}) u CROSS JOIN (VALUES (1), (-1)) s (sign)`
}

function toTotals(context: PartsContext, plan: RollupPlan): Parts {
  const named = toRollupParts(context, plan)
  const edges = plan.edges.map((edge) => toRowsPart(context, edge))
  if (plan.crosses) edges.push(toCrossingPart(context, plan))
  if (!plan.metadata?.countsOthers) return { named, edges }
  return { named, edges, all: toAllPart(context, plan) }
}

type RowsOf = Pick<Edge, "sign"> & { readonly span: Period | Edge["span"]; readonly isUnusual?: boolean }

/** Reads the rows of an interval. */
function toRowsPart(
  { question, measures, rollups, bind }: PartsContext,
  { span, sign, isUnusual = false }: RowsOf,
): string {
  const { by, period, filters } = question
  const groups = by.map((dimension) => dimension.sql(ROWS, bind, period.tz)!)
  const where = toCondition({ filters, span, indexed: rollups.indexed, isUnusual }, bind)
  return select({ groups, measures, source: ROWS, where, sign })
}

/**
 * Reads whole buckets, with weeks in place of days where that is possible.
 * @param toAlso returns one more condition on the rows of a source
 */
export function toRollupParts(
  context: PartsContext,
  plan: RollupPlan,
  toAlso?: (source: Source, span: Span) => string,
): string[] {
  const { question, measures, rollups, bind } = context
  const hasTime = question.by.some(({ order }) => order === "time")
  const foldedBefore = plan.source === BY_METADATA && !hasTime ? rollups.foldedBefore : undefined
  const toPart = (source: Source, { span, sign }: Pick<Piece, "span" | "sign">) => {
    const groups = question.by.map((dimension) => dimension.sql(source, bind, question.period.tz)!)
    const own = toRollupCondition(context, { ...plan, span }, source)
    const where = toAlso === undefined ? own : `${own} AND ${toAlso(source, span)}`
    return select({ groups, measures, source, where, sign })
  }
  const pieces = toPieces(plan.span, foldedBefore)
  return [
    ...pieces.map((piece) => toPart(piece.from === "weeks" ? BY_METADATA_WEEK : plan.source, piece)),
    ...plan.hours.map((hours) => toPart(HOURLY_KEYS, hours)),
  ]
}

/** Reads all requests. The difference to those with the metadata name is the group of the requests without it. */
export function toAllPart(context: PartsContext, plan: RollupPlan): string {
  const { question, measures, bind } = context
  const groups = question.by.map(({ metadata, sql }) =>
    metadata === undefined ? sql(DAILY, bind, question.period.tz)! : "NULL::text",
  )
  return select({ groups, measures, source: DAILY, where: toRollupCondition(context, plan, DAILY) })
}

/** Reads the rows of buckets that lie across two groups, such as the hour in which a day of India begins. */
function toCrossingPart(context: PartsContext, plan: RollupPlan): string {
  const { question, measures, rollups, bind } = context
  const { by, period, filters } = question
  // The rollups of a metadata name have no buckets where no request used the name.
  const source = plan.source === BY_METADATA ? DAILY : plan.source
  const isOfSource = toCondition({ filters: {}, span: plan.span, source }, bind)
  const buckets = `SELECT DISTINCT ${source.at} AS start FROM ${source.table} r WHERE ${isOfSource} AND ${isCrossing(context, source)}`
  const groups = by.map((dimension) => dimension.sql(ROWS, bind, period.tz)!)
  // OFFSET 0 prevents the planner from joining in the other direction, which would read the whole table.
  const rowsOfBucket = `SELECT * FROM llm_requests r WHERE ${ROWS.at} >= c.start AND ${ROWS.at} < c.start + interval '${source.stepMs} milliseconds' OFFSET 0`
  return select({
    groups,
    measures,
    source: ROWS,
    from: `(${buckets}) c CROSS JOIN LATERAL (${rowsOfBucket}) r`,
    where: toCondition({ filters, indexed: rollups.indexed }, bind),
  })
}

function toRollupCondition(context: PartsContext, plan: RollupPlan, source: Source): string {
  const { question, bind } = context
  const conditions = [toCondition({ filters: question.filters, span: plan.span, source }, bind)]
  if (source === BY_METADATA || source === BY_METADATA_WEEK)
    conditions.push(`r.name = ${bind(plan.metadata!.name)}::text`)
  if (plan.crosses) conditions.push(`NOT ${isCrossing(context, source)}`)
  return conditions.join(" AND ")
}

/** Returns the condition for a bucket whose first and last moment are in different groups. */
function isCrossing({ question, rollups, bind }: PartsContext, source: Source): string {
  const { by, period } = question
  const last = { ...source, at: `(${source.at} + interval '${source.stepMs} milliseconds' - interval '1 microsecond')` }
  const crossings = by.flatMap((dimension) =>
    dimension.order === "time"
      ? [`${dimension.sql(source, bind, period.tz)} <> ${dimension.sql(last, bind, period.tz)}`]
      : [],
  )
  // A pruned bucket has no rows, so the whole bucket counts in the group in which it begins.
  const hasRows =
    rollups.prunedBefore === undefined
      ? ""
      : `${source.at} >= ${bind(new Date(rollups.prunedBefore).toISOString())}::timestamptz AND `
  return `(${hasRows}(${crossings.join(" OR ")}))`
}

interface Selection {
  readonly groups: readonly string[]
  readonly measures: readonly MeasureName[]
  readonly source: Source
  readonly from?: string
  readonly where: string
  readonly sign?: Edge["sign"]
}

/** Returns a statement with the groups and measures of a source. */
export function select({ groups, measures, source, from = `${source.table} r`, where, sign = "+" }: Selection): string {
  const signed = sign === "+" ? "" : sign // the database would evaluate a plus sign for each value
  const columns = [
    ...groups.map((group, i) => `${group} AS d${i}`),
    ...measures.map((name) => `${signed}${source.measures[name]} AS ${name}`),
  ]
  const positions = source === ROWS ? groups.map((_, i) => i + 1) : []
  return `SELECT ${columns.join(", ")} FROM ${from} WHERE ${where}${positions.length === 0 ? "" : ` GROUP BY ${positions.join(", ")}`}`
}
