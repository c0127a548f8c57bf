import { type Span, toBound, toCondition } from "./filters.ts"
import { type PartsContext, type RollupPlan, select, toAllPart, toParts, toRollupParts } from "./parts.ts"
import { type Edge, planUsage } from "./plan.ts"
import { type MeasureName, ROWS, type Source } from "./sources.ts"

/** The first groups of a report by one metadata name, which may have ten thousand values. */
export interface Top {
  readonly limit: number
  /**
   * The measures of which the order of groups begins with the sum, descending. Groups that they do not tell apart are all
   * read, so that the rest of the order decides. Undefined: the groups are in the order of their names.
   */
  readonly by: readonly MeasureName[] | undefined
}

/**
 * Returns the WITH queries of such a report, of which the last one is `summed`, as `toSteps` does; or undefined if the report
 * needs all groups, or its name has few values. The groups are chosen by few measures, and all measures are added up for these groups alone: an
 * index finds them, unless they are many. The total does not depend on the groups. The query `counted` has the number of groups.
 */
export function toTopSteps(context: PartsContext, { limit, by }: Top): string[] | undefined {
  const { question, measures, bind } = context
  const plan = planUsage(question, context.rollups)
  if (question.by.length !== 1 || plan.from === "rows" || !plan.metadata?.countsOthers) return undefined
  if (!context.rollups.numerous.has(plan.metadata.name)) return undefined
  const ranks: readonly MeasureName[] = [...new Set<MeasureName>(["requests", ...(by ?? [])])]
  const edges = plan.edges.map((edge, i) => ({ name: `edge${i}`, sign: edge.sign, rows: toEdgeRows(context, edge) }))
  const toRollups = (of: readonly MeasureName[], where: string) =>
    toRollupParts({ ...context, measures: of }, plan).map((part) => `SELECT * FROM (${part}) p WHERE ${where}`)
  const toRows = (of: readonly MeasureName[], where: string) =>
    edges.map(({ name, sign }) =>
      select({ groups: ["r.d0"], measures: of, source: ROWS, from: `${name} r`, where, sign }),
    )
  const toCells = (of: readonly MeasureName[], where: string) =>
    unionAll([...toRollups(of, where), ...toRows(of, where)])
  const isChosen = "d0 IN (SELECT d0 FROM chosen)"
  const ofChosen = [
    ...toRollupParts(context, plan, (source, span) => toLookUp({ bind, name: plan.metadata!.name, source, span })),
    ...toRollups(measures, `${isChosen} AND NOT (SELECT are_few FROM few)`),
    ...toRows(measures, isChosen),
  ]
  const sums = toSums(measures)
  // A cost below 0 would come before one that is not known, which counts as 0 here.
  const rank = by === undefined ? "NULL" : `greatest(${by.map((name) => `sum(${name})`).join(" + ")}, 0)`
  const order = by === undefined ? "d0" : "rank DESC"
  const has = "(SELECT has_unnamed FROM counted)"
  const steps = [
    ...edges.map(({ name, rows }) => [name, rows]),
    ["total", `SELECT ${sums} FROM (${unionAll(toTotalParts(context, plan, edges))}) t`],
    [
      "ranked",
      `SELECT d0, sum(requests) AS requests, ${rank} AS rank FROM (${toCells(ranks, "d0 IS NOT NULL")}) c GROUP BY d0`,
    ],
    [
      "chosen",
      `SELECT d0 FROM ranked WHERE requests <> 0 ORDER BY ${order} FETCH FIRST (${bind(limit)}::bigint) ROWS WITH TIES`,
    ],
    [
      "counted",
      `SELECT (SELECT requests FROM total) <> coalesce(sum(requests), 0) AS has_unnamed,
  count(*) FILTER (WHERE requests <> 0) + CASE WHEN (SELECT requests FROM total) <> coalesce(sum(requests), 0) THEN 1 ELSE 0 END AS groups
FROM ranked`,
    ],
    ["few", `SELECT (SELECT count(*) FROM chosen) * ${LOOK_UP_COST} <= (SELECT count(*) FROM ranked) AS are_few`],
    ["added", `SELECT d0, ${sums} FROM (${unionAll(ofChosen)}) c GROUP BY d0`],
    // The requests without the name: all requests minus those with it. Nothing is read if there are none.
    [
      "unnamed",
      `SELECT NULL::text AS d0, ${sums} FROM (SELECT * FROM total WHERE ${has}
  UNION ALL SELECT ${measures.map((name) => `-sum(${name})`)} FROM (${toCells(measures, `d0 IS NOT NULL AND ${has}`)}) c) o`,
    ],
    [
      "summed",
      `SELECT false AS is_total, * FROM (SELECT * FROM added UNION ALL SELECT * FROM unnamed) g WHERE requests <> 0
  UNION ALL SELECT true, NULL, * FROM total`,
    ],
  ]
  return steps.map(([name, text]) => `${name} AS MATERIALIZED (\n${text}\n)`)
}

/** How many rows of a rollup are read in the time in which an index finds one of them. */
const LOOK_UP_COST = 20

interface LookUp extends Pick<PartsContext, "bind"> {
  /** The metadata name. */
  readonly name: string
  readonly source: Source
  readonly span: Span
}

/**
 * Returns the condition that finds the chosen values by the index (name, day, value) if they are few. The days are listed,
 * because the index can only find a value where its day is known.
 */
function toLookUp({ bind, name, source, span: { since, until } }: LookUp): string {
  const { column } = source.bound
  const first = since === undefined ? "lo" : `greatest(lo, ${toBound(source, since, bind)})`
  const last = until === undefined ? "hi" : `least(hi, ${toBound(source, until, bind)})`
  const days = `SELECT generate_series(${first}, ${last}, interval '${source.stepMs} milliseconds')::date FROM (
    SELECT min(${column}) AS lo, max(${column}) AS hi FROM ${source.table} r WHERE r.name = ${bind(name)}::text) b WHERE lo IS NOT NULL`
  return `${column} = ANY (ARRAY(${days})) AND r.value = ANY (ARRAY(SELECT d0 FROM chosen WHERE (SELECT are_few FROM few)))`
}

/** The columns of a request from which measures are computed. */
const COLUMNS = [
  "status_code",
  "outcome",
  "billing",
  "cost_status",
  "total_cost",
  "input_tokens",
  "cached_tokens",
  "cache_creation_tokens",
  "output_tokens",
].map((name) => `r.${name}`)

/** Reads the requests of an edge once. They are added up twice: by few measures for all groups, and by all for few groups. */
function toEdgeRows({ question, rollups, bind }: PartsContext, { span }: Edge): string {
  const value = question.by[0]!.sql(ROWS, bind, question.period.tz)!
  const where = toCondition({ filters: question.filters, span, indexed: rollups.indexed }, bind)
  return `SELECT ${value} AS d0, ${COLUMNS.join(", ")} FROM llm_requests r WHERE ${where}`
}

/**
 * Returns the parts of the total of all requests. A report without groups reads fewer rows, but it counts the hours of a
 * pruned day, and this one the whole day.
 */
function toTotalParts(
  context: PartsContext,
  plan: RollupPlan,
  edges: readonly (Pick<Edge, "sign"> & { readonly name: string })[],
): readonly string[] {
  const { question, measures, rollups } = context
  if (question.period.since >= (rollups.prunedBefore ?? Number.NEGATIVE_INFINITY)) {
    const parts = toParts({ ...context, question: { ...question, by: [] } })
    return [...parts.named, ...parts.edges]
  }
  const ofEdges = edges.map(({ name, sign }) =>
    select({ groups: [], measures, source: ROWS, from: `${name} r`, where: "true", sign }),
  )
  const all = `SELECT ${measures.join(", ")} FROM (${toAllPart(context, plan)}) a`
  return [all, ...ofEdges]
}

const toSums = (measures: readonly MeasureName[]) => measures.map((name) => `sum(${name}) AS ${name}`)
const unionAll = (parts: readonly string[]) => parts.join("\nUNION ALL\n")
