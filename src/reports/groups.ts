import type { Dimension } from "./dimensions.ts"
import { type PartsContext, toParts } from "./parts.ts"
import type { MeasureName } from "./sources.ts"

/**
 * Returns the WITH queries of a report. The last one is `summed`: the groups (`d0`, `d1`) with their measures, and one row
 * with `is_total`, so that both describe the same moment. They read everything in one pass and compute the total from the
 * groups, because with ten thousand groups each further pass costs as much as reading them.
 */
export function toSteps(context: PartsContext): string[] {
  const { by } = context.question
  const names = by.map((_, i) => `d${i}`)
  const sums = toSums(context.measures)
  const { named, edges, all } = toParts(context)
  const fromEdges = edges.length === 0 ? [] : ["SELECT * FROM edges"]
  const rows = by.length === 0 ? "" : "SELECT false AS is_total, * FROM groups WHERE requests <> 0 UNION ALL "
  const steps = [
    ...(edges.length === 0 ? [] : [["edges", unionAll(edges)]]),
    ["cells", unionAll([...named, ...fromEdges])],
    ["added", `SELECT ${[...names, ...sums]} FROM cells${groupBy(names)}`],
    ["groups", all === undefined ? "SELECT * FROM added" : toGroupsWithUnnamed(by, context.measures, all, fromEdges)],
    ["summed", `${rows}SELECT ${["true AS is_total", ...names.map(() => "NULL"), ...sums]} FROM groups`],
  ]
  return steps.map(([name, text]) => `${name} AS (\n${text}\n)`)
}

/**
 * Selects the groups by a metadata name, and the group of the requests without it: all requests minus those with the name.
 * Each part is aggregated before the union, because a union converts all rows to the widest types.
 */
function toGroupsWithUnnamed(
  by: readonly Dimension[],
  measures: readonly MeasureName[],
  all: string,
  fromEdges: readonly string[],
): string {
  const names = by.map((_, i) => `d${i}`)
  const sums = toSums(measures)
  const has = `d${by.findIndex(({ metadata }) => metadata !== undefined)} IS NOT NULL`
  const unnamed = by.map(({ metadata }, i) => (metadata === undefined ? `d${i}` : `NULL::text AS d${i}`))
  const byRest = groupBy(by.flatMap(({ metadata }, i) => (metadata === undefined ? [`d${i}`] : [])))
  const negated = measures.map((name) => `-sum(${name}) AS ${name}`)
  const others = [
    `SELECT ${[...names, ...sums]} FROM (${all}) w${groupBy(names)}`,
    ...fromEdges.map(() => `SELECT ${[...unnamed, ...sums]} FROM edges${byRest}`),
    `SELECT ${[...unnamed, ...negated]} FROM added WHERE ${has}${byRest}`,
  ]
  return unionAll([
    `SELECT * FROM added WHERE ${has}`,
    `SELECT ${[...names, ...sums]} FROM (${unionAll(others)}) o${groupBy(names)}`,
  ])
}

const toSums = (measures: readonly MeasureName[]) => measures.map((name) => `sum(${name}) AS ${name}`)
const unionAll = (parts: readonly string[]) => parts.join("\nUNION ALL\n")
const groupBy = (names: readonly string[]) => (names.length === 0 ? "" : ` GROUP BY ${names.join(", ")}`)
