import type { Measures, ReportObject } from "../../operations/usage/json.ts"
import type { Dimension } from "../../operations/usage/question.ts"
import type { UsageAnswer, UsageRow } from "../../operations/usage/report.ts"
import { toCsv } from "../_csv.ts"
import { alignPoints, toDollars } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { type Column, renderTable, toCounts, toShares } from "../_table.ts"
import { withThousands, wrap } from "../_text.ts"

/** Renders the table of a usage report: one line per group, and a total. */
export function renderBreakdown(
  by: readonly Dimension[],
  { rows, total, groups }: UsageAnswer,
  screen: Screen,
  report?: Pick<ReportObject, "rows" | "total" | "compared_with">,
): string {
  const all = [...rows, total]
  const count = (title: string, pick: (row: Measures) => number, hideRank?: number): Column => {
    const cells = toCounts(all.map(pick))
    return { title, align: "right", cells: cells.slice(0, -1), total: cells.at(-1)!, hideRank }
  }
  const costs = alignPoints(all.map(toCostCell))
  const columns: Column[] = [
    ...toLabelColumns(by, rows, "Total"),
    count("Requests", ({ requests }) => requests),
    ...(total.errors > 0 ? [count("Errors", ({ errors }) => errors, 3)] : []),
    count("Input", ({ input_tokens }) => input_tokens, 1),
    ...(total.cached_tokens > 0 ? [count("Cached", ({ cached_tokens }) => cached_tokens, 5)] : []),
    count("Output", ({ output_tokens }) => output_tokens, 1),
    ...(total.unpriced > 0 ? [count("Unpriced", ({ unpriced }) => unpriced, 4)] : []),
    { title: "Cost", align: "right", cells: costs.slice(0, -1), total: costs.at(-1)! },
    ...(report?.compared_with ? toBeforeColumns(report) : []),
    ...toValueColumns(rows, total),
    {
      title: "Share",
      align: screen.drawing ? "left" : "right",
      cells: toShares(
        rows.map(({ share }) => share),
        screen,
        (screen.width ?? 0) < 100 ? 6 : 10,
      ),
      hideRank: 2,
    },
  ]
  return [renderTable(columns, screen), ...toNotes(total, groups - rows.length, screen)].join("")
}

/** Returns the columns of the period that a report is compared with: its cost, and the change of it. */
function toBeforeColumns({ rows, total }: Pick<ReportObject, "rows" | "total">): Column[] {
  const all = [...(rows as readonly ReportObject["total"][]), total]
  const costs = alignPoints(all.map(({ total_cost_before: cost }) => (cost == null ? "unpriced" : toDollars(cost))))
  const changes = all.map(({ total_cost: now, total_cost_before: then }) => {
    if (now === null || then == null || Number(then) === 0) return Number(now) > 0 ? "new" : ""
    const percent = (Number(now) / Number(then) - 1) * 100
    return `${percent > 0 ? "+" : ""}${percent.toFixed(0)}%`
  })
  const column = (title: string, cells: readonly string[]): Column => {
    return { title, align: "right", cells: cells.slice(0, -1), total: cells.at(-1)!, hideRank: 1 }
  }
  return [column("Before", costs), column("Change", changes)]
}

type Costs = Pick<Measures, "requests" | "subscription_requests" | "total_cost" | "estimated" | "unpriced">

/**
 * Renders a sum. `~` means that a part is estimated; `>` that a part has no price, so the sum is a lower bound. What only
 * subscriptions pay for costs nothing, however sure its value is.
 */
export function toCostCell({ requests, subscription_requests, total_cost, estimated, unpriced }: Costs): string {
  if (total_cost === null) return "unpriced"
  if (requests === subscription_requests) return toDollars(total_cost)
  return `${unpriced > 0 ? ">" : estimated > 0 ? "~" : ""}${toDollars(total_cost)}`
}

/** Returns the column of what the API would have charged for requests of subscriptions; none if there are no such requests. */
export function toValueColumns(rows: readonly OnSubscription[], total?: OnSubscription): Column[] {
  const all = total === undefined ? rows : [...rows, total]
  if (all.every(({ subscription_requests }) => subscription_requests === 0)) return []
  const cells = alignPoints(all.map(toValueCell))
  const column = { title: "API value", align: "right", hideRank: 1 } as const
  if (total === undefined) return [{ ...column, cells }]
  return [{ ...column, cells: cells.slice(0, -1), total: cells.at(-1)! }]
}

type OnSubscription = Pick<Measures, "subscription_requests" | "subscription_value">

/** Renders the API value of a group, which is empty if no subscription pays for any of its requests. */
export function toValueCell({ subscription_requests, subscription_value }: OnSubscription): string {
  if (subscription_requests === 0) return ""
  return subscription_value === null ? "unpriced" : toDollars(subscription_value)
}

/** Returns the label of a group: its value, and the key's id if two keys have the same name. */
export function toLabel(dimension: Dimension, row: Group, i: number, rows: readonly Group[]): string {
  const value = row.values[i]
  if (value === null || value === undefined || value === "") return "(none)"
  if (dimension.name === "hour") return String(value).slice(0, 16).replace("T", " ")
  if (dimension.name !== "key") return String(value)
  const namesakes = rows.some((other) => other.values[i] === value && other.keyId !== row.keyId)
  return namesakes ? `${value} (${row.keyId?.slice(0, 8)})` : String(value)
}

type Group = Pick<UsageRow, "values" | "keyId">

/** Renders the dimensions and fields of the rows as CSV; without a dimension and rows of its own, those of the total. */
export function renderCsv(
  { by, rows, total }: { by: readonly string[]; rows: readonly object[]; total: object },
  names: readonly string[],
): string {
  const fields = [...by.flatMap((name) => (name === "key" ? [name, "key_id"] : [name])), ...names]
  const lines = by.length === 0 && rows.length === 0 ? [total] : rows
  return toCsv(
    fields,
    lines.map((row) => fields.map((name) => (row as Record<string, unknown>)[name])),
  )
}

/** Returns the columns with the labels of the groups. */
export function toLabelColumns(by: readonly Dimension[], rows: readonly Group[], total?: string): Column[] {
  return by.map((dimension, i) => ({
    title: dimension.title,
    align: "left",
    cells: rows.map((row) => toLabel(dimension, row, i, rows)),
    ...(total !== undefined && { total: i === 0 ? total : "" }),
    shrinks: dimension.order !== "time",
  }))
}

function toNotes(total: Measures, hidden: number, { width }: Screen): string[] {
  const plural = (count: number, noun: string) => `${withThousands(count)} ${noun}${count === 1 ? "" : "s"}`
  const notes = [
    ...(hidden > 0 ? [`And ${plural(hidden, "more row")}; the total counts them all.`] : []),
    ...(total.unpriced > 0
      ? [`> ${plural(total.unpriced, "request")} without a known price: what they cost is not in these sums.`]
      : []),
    ...(total.subscription_requests > 0
      ? [`API value: what ${plural(total.subscription_requests, "request")} of subscriptions would cost; on no bill.`]
      : []),
    ...(total.estimated > 0 ? [`~ ${plural(total.estimated, "request")} estimated.`] : []),
  ]
  return notes.flatMap((note) => wrap(note, width).map((line, i) => `${i === 0 ? "" : "  "}${line}\n`))
}
