import { addDecimals } from "../../core/decimal.ts"
import type { Measures } from "../../operations/usage/json.ts"
import type { Dimension } from "../../operations/usage/question.ts"
import type { UsageAnswer, UsageRow } from "../../operations/usage/report.ts"
import { alignPoints } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { type Column, renderTable, toCounts, toShares } from "../_table.ts"
import { withThousands } from "../_text.ts"
import { toCostCell, toLabel, toValueColumns } from "./_breakdown.ts"

export const tokensOf = (m: Measures) => m.input_tokens + m.output_tokens

/** Renders the groups with the highest cost, with bars that can be compared, and the others as one line. */
export function renderTop(by: readonly Dimension[], answer: UsageAnswer, screen: Screen): string {
  const { total } = answer
  const rows = withOthers(answer)
  const all = [...rows, total]
  const count = (title: string, pick: (m: Measures) => number, hideRank?: number): Column => {
    const cells = toCounts(all.map(pick))
    return { title, align: "right", cells: cells.slice(0, -1), total: cells.at(-1)!, hideRank }
  }
  const costs = alignPoints(all.map(toCostCell))
  const shares = rows.map(({ share }) => share)
  return renderTable(
    [
      {
        title: by[0]!.title,
        align: "left",
        cells: rows.map((row) => toLabel(by[0]!, row, 0, rows)),
        total: "Total",
        shrinks: true,
      },
      count("Requests", ({ requests }) => requests),
      count("Tokens", tokensOf, 2),
      { title: "Cost", align: "right", cells: costs.slice(0, -1), total: costs.at(-1)! },
      ...toValueColumns(rows, total),
      {
        title: "Share",
        align: screen.drawing ? "left" : "right",
        cells: toShares(shares, screen, (screen.width ?? 0) < 100 ? 10 : 24),
        hideRank: 1,
      },
    ],
    screen,
  )
}

/** Adds a line for the groups that are not shown, so that the lines add up to the total. */
function withOthers({ rows, total, groups }: UsageAnswer): readonly UsageRow[] {
  const hidden = groups - rows.length
  if (hidden <= 0) return rows
  const rest = (pick: (m: Measures) => number) => pick(total) - rows.reduce((sum, row) => sum + pick(row), 0)
  const money = (name: "total_cost" | "subscription_value") =>
    rows.reduce((sum, row) => addDecimals(sum, `-${row[name] ?? 0}`.replace("--", "")), total[name] ?? "0")
  const others = {
    ...total,
    requests: rest(({ requests }) => requests),
    input_tokens: rest(({ input_tokens }) => input_tokens),
    output_tokens: rest(({ output_tokens }) => output_tokens),
    exact: rest(({ exact }) => exact),
    estimated: rest(({ estimated }) => estimated),
    unpriced: rest(({ unpriced }) => unpriced),
    subscription_requests: rest(({ subscription_requests }) => subscription_requests),
    share: Math.max(
      0,
      rest(({ share }) => share),
    ),
  }
  const isUnpriced = others.unpriced > 0 && others.unpriced === others.requests
  return [
    ...rows,
    {
      ...others,
      total_cost: isUnpriced ? null : money("total_cost"),
      subscription_value: money("subscription_value"),
      values: [hidden === 1 ? "(1 other)" : `(${withThousands(hidden)} others)`],
      keyId: undefined,
    },
  ]
}
