import {
  DIMENSIONS,
  type Dimension,
  listDays,
  type Measures,
  toOffsetIso,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"
import { renderBars } from "../_chart.ts"
import { alignPoints, toDollars } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { type Column, ellipsis, renderTable, toCounts, toShares } from "../_table.ts"
import { printable, withThousands, wrap } from "../_text.ts"
import { toCostCell, toLabel } from "./_breakdown.ts"
import { toMeasureObject, toRowObjects } from "./_json.ts"

/** `usage` alone: a period, the one before it, and where its cost came from. */
export interface Overview {
  readonly question: UsageQuestion
  readonly current: UsageAnswer
  readonly before: UsageAnswer
  readonly days: UsageAnswer
  readonly allDays: readonly string[]
  readonly models: UsageAnswer
  readonly keys: UsageAnswer
  readonly unpricedModels: readonly string[]
}

const BY = {
  day: [DIMENSIONS["day"]!],
  model: [DIMENSIONS["model"]!],
  key: [DIMENSIONS["key"]!],
} as const
const TOP = 5

export async function readOverview(
  question: UsageQuestion,
  now: number,
  ask: (question: UsageQuestion) => Promise<UsageAnswer>,
): Promise<Overview> {
  const { period } = question
  const until = period.until ?? now
  const earlier = { ...period, since: period.since - (until - period.since), until: period.since }
  const plain = { ...question, sort: undefined, limit: undefined }
  const models = await ask({ ...plain, by: BY.model })
  return {
    question,
    current: { rows: [], total: models.total, groups: 0 },
    before: await ask({ ...plain, period: earlier }),
    days: await ask({ ...plain, by: BY.day }),
    allDays: listDays(period.since, until, period.tz),
    models: { ...models, rows: models.rows.slice(0, question.limit ?? TOP) },
    keys: await ask({ ...plain, by: BY.key, limit: question.limit ?? TOP }),
    unpricedModels: models.rows.flatMap(({ unpriced, values }) => (unpriced > 0 ? [String(values[0])] : [])),
  }
}

export function toOverviewObject({
  current,
  before,
  days,
  models,
  keys,
  unpricedModels,
}: Overview): Record<string, unknown> {
  return {
    rows: [],
    total: toMeasureObject(current.total),
    before: toMeasureObject(before.total),
    days: toRowObjects(BY.day, days),
    models: toRowObjects(BY.model, models),
    keys: toRowObjects(BY.key, keys),
    unpriced_models: unpricedModels,
  }
}

export function renderOverview(overview: Overview, screen: Screen): string {
  const { current, before, models, keys } = overview
  const now = current.total
  const then = before.total
  const facts = [
    [
      "Requests",
      `${withThousands(now.requests)}${change(now.requests, then.requests)}${now.errors > 0 ? `, ${withThousands(now.errors)} with an error` : ""}`,
    ],
    ["Tokens", `${withThousands(tokensOf(now))}${change(tokensOf(now), tokensOf(then))}`],
    ["Cost", `${toCostCell(now)}${change(Number(now.total_cost), Number(then.total_cost))}`],
    ["Sure", toSureness(overview)],
    ...(now.unpriced > 0 ? [["", `with prices for them: ${toRepriceCommand(overview.question)}`]] : []),
  ] as const
  const bold = (text: string) => (screen.colour ? `\u001b[1m${text}\u001b[22m` : text)
  return [
    ...facts.flatMap(([name, fact]) =>
      wrap(fact, screen.width === undefined ? undefined : screen.width - 10).map(
        (line, i) => `${bold((i === 0 ? name : "").padEnd(10))}${line}`,
      ),
    ),
    "",
    ...renderDays(overview, screen),
    "",
    renderTop(BY.model, models, screen),
    renderTop(BY.key, keys, screen),
  ].join("\n")
}

const tokensOf = (m: Measures) => m.input_tokens + m.output_tokens

/** The few groups that cost most, with bars that can be compared. */
function renderTop(by: readonly Dimension[], { rows, total, groups }: UsageAnswer, screen: Screen): string {
  const all = [...rows, total]
  const count = (title: string, pick: (m: Measures) => number, leaves?: number): Column => {
    const cells = toCounts(all.map(pick))
    return { title, align: "right", cells: cells.slice(0, -1), total: cells.at(-1)!, leaves }
  }
  const costs = alignPoints(all.map(toCostCell))
  const isAll = groups <= rows.length
  return renderTable(
    [
      {
        title: by[0]!.title,
        align: "left",
        cells: rows.map((row) => toLabel(by[0]!, row, 0, rows)),
        total: isAll ? "Total" : `Total of ${withThousands(groups)}`,
        shrinks: true,
      },
      count("Requests", ({ requests }) => requests),
      count("Tokens", tokensOf, 2),
      { title: "Cost", align: "right", cells: costs.slice(0, -1), total: costs.at(-1)! },
      {
        title: "Share",
        align: screen.drawing ? "left" : "right",
        cells: toShares(
          rows.map(({ share }) => share),
          screen,
          (screen.width ?? 0) < 100 ? 10 : 24,
        ),
        leaves: 1,
      },
    ],
    screen,
  )
}

function change(now: number, before: number): string {
  if (before === 0) return ""
  const percent = ((now - before) / before) * 100
  const shown =
    Math.abs(percent) >= 1000 ? `${(now / before).toFixed(0)}x` : `${percent >= 0 ? "+" : ""}${percent.toFixed(0)}%`
  return ` (${shown} against the period before)`
}

/** `98.7% exact, 1.1% estimated, 0.2% unpriced (3 requests: model x, y)` */
function toSureness({ current: { total }, unpricedModels }: Overview): string {
  const percent = (count: number) => {
    const share = (count / total.requests) * 100
    // Rounding must not turn nearly all into all, nor a few into none.
    if (count === total.requests || count === 0) return `${share} %`
    return share < 0.1 ? "< 0.1 %" : `${Math.min(99.9, share).toFixed(1)} %`
  }
  const parts = [`${percent(total.exact)} exact`]
  if (total.estimated > 0) parts.push(`${percent(total.estimated)} estimated`)
  if (total.unpriced > 0) {
    const named = unpricedModels.slice(0, 3).map((model) => ellipsis(printable(model), 40) || "(no model)")
    const more = unpricedModels.length > 3 ? ", …" : ""
    const noun = total.unpriced === 1 ? "request" : "requests"
    parts.push(
      `${percent(total.unpriced)} unpriced (${withThousands(total.unpriced)} ${noun}: model ${named.join(", ")}${more})`,
    )
  }
  return parts.join(", ")
}

/** What prices the period's requests again, once their models have a price in pricing.overrides. */
function toRepriceCommand({ period }: UsageQuestion): string {
  return `majordomo-gateway pricing reprice --since ${toOffsetIso(period.since, period.tz).slice(0, 10)}`
}

/** A bar per day; where nothing can be drawn, a line per day that had requests. */
function renderDays({ days, allDays }: Overview, screen: Screen): string[] {
  const byDay = new Map(days.rows.map((row) => [row.values[0], row]))
  if (!screen.drawing) {
    const rows = [...byDay.values()]
    const costs = alignPoints(rows.map(toCostCell))
    const longest = Math.max(0, ...costs.map(({ length }) => length))
    return rows.map(({ values, requests }, i) => {
      const cost = costs[i]!.padStart(longest)
      return `${values[0]}  ${cost}  ${withThousands(requests)} request${requests === 1 ? "" : "s"}`
    })
  }
  const toBars = (pick: (m: Measures) => number) =>
    allDays.map((label) => ({ label, value: byDay.has(label) ? pick(byDay.get(label)!) : 0 }))
  const costs = toBars(({ total_cost }) => Number(total_cost))
  const cents = (value: number) =>
    toDollars(value >= 1 ? value.toFixed(2) : value.toFixed(12).replace(/(\.0*\d\d)\d*$/, "$1"))
  if (costs.some(({ value }) => value > 0)) return renderBars(costs, screen, cents)
  return renderBars(
    toBars(({ requests }) => requests),
    screen,
    (value) => `${withThousands(Math.round(value))} requests`,
  )
}
