import { type Measures, toOffsetIso } from "../../operations/usage/json.ts"
import { OVERVIEW_BY, type Overview } from "../../operations/usage/overview.ts"
import { metadataDimension } from "../../operations/usage/question.ts"
import type { UsageQuestion } from "../../operations/usage/report.ts"
import { renderBars } from "../_chart.ts"
import { alignPoints, toDollars } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { printable, withThousands, wrap } from "../_text.ts"
import { truncate } from "../_width.ts"
import { toCostCell, toValueCell } from "./_breakdown.ts"
import { renderTop, tokensOf } from "./_top.ts"

/** The width of the names in front of the facts. */
const NAME_WIDTH = 12

/** Renders a period at a glance: its total against the period before, its days, and its models and keys. */
export function renderOverview(overview: Overview, screen: Screen): string {
  const { current, before, models, keys, metadata } = overview
  const now = current.total
  const then = before.total
  const isBefore = isJustBefore(overview)
  const toChange = (amount: number, earlier: number) =>
    describeChange(amount, earlier, isBefore ? "the period before" : "the other period")
  const facts = [
    [
      "Requests",
      `${withThousands(now.requests)}${toChange(now.requests, then.requests)}${now.errors > 0 ? `, ${withThousands(now.errors)} with an error` : ""}`,
    ],
    ["Tokens", `${withThousands(tokensOf(now))}${toChange(tokensOf(now), tokensOf(then))}`],
    ["Cost", `${toCostCell(now)}${toChange(Number(now.total_cost), Number(then.total_cost))}`],
    ...(now.subscription_requests > 0 ? [["Subscribed", describeSubscriptions(now)]] : []),
    ["Confidence", describeConfidence(overview)],
    ...(now.unpriced > 0 ? [["", `to price them: ${toRepriceCommand(overview.question)}`]] : []),
  ] as const
  const bold = (text: string) => (screen.color ? `\u001b[1m${text}\u001b[22m` : text)
  return [
    ...facts.flatMap(([name, fact]) =>
      wrap(fact, screen.width === undefined ? undefined : screen.width - NAME_WIDTH).map(
        (line, i) => `${bold((i === 0 ? name : "").padEnd(NAME_WIDTH))}${line}`,
      ),
    ),
    "",
    ...renderDays(overview, screen),
    "",
    renderTop(OVERVIEW_BY.model, models, screen),
    ...metadata.map(({ name, answer }) => renderTop([metadataDimension(name)], answer, screen)),
    renderTop(OVERVIEW_BY.key, keys, screen),
  ].join("\n")
}

/** The period before may end some hours earlier, so that it is as long as a period of which the last day has not ended. */
function isJustBefore({ comparedWith, question: { period } }: Overview): boolean {
  const { since, until = since } = comparedWith
  return until <= period.since && period.since - until < until - since && period.since - until < 86_400_000
}

/** Renders what the API would have charged for the requests that subscriptions pay for. */
function describeSubscriptions(total: Measures): string {
  const noun = total.subscription_requests === 1 ? "request" : "requests"
  return `${toValueCell(total)} is the API value of ${withThousands(total.subscription_requests)} ${noun}, which no bill contains`
}

function describeChange(now: number, before: number, against: string): string {
  if (before === 0) return ""
  const percent = ((now - before) / before) * 100
  const shown =
    Math.abs(percent) >= 1000 ? `${(now / before).toFixed(0)}x` : `${percent >= 0 ? "+" : ""}${percent.toFixed(0)}%`
  return ` (${shown} against ${against})`
}

/**
 * Renders how many requests have which confidence:
 * `98.7% exact, 1.1% estimated, 0.2% unpriced (3 requests: model x, y)`
 */
function describeConfidence({ current: { total }, unpricedModels }: Overview): string {
  const percent = (count: number) => {
    const share = (count / total.requests) * 100
    // Rounding must not turn nearly all into all, nor a few into none.
    if (count === total.requests || count === 0) return `${share}%`
    return share < 0.1 ? "< 0.1%" : `${Math.min(99.9, share).toFixed(1)}%`
  }
  const parts = [`${percent(total.exact)} exact`]
  if (total.estimated > 0) parts.push(`${percent(total.estimated)} estimated`)
  if (total.unpriced > 0) {
    const named = unpricedModels.slice(0, 3).map((model) => truncate(printable(model), 40) || "(no model)")
    const more = unpricedModels.length > 3 ? ", …" : ""
    const noun = total.unpriced === 1 ? "request" : "requests"
    parts.push(
      `${percent(total.unpriced)} unpriced (${withThousands(total.unpriced)} ${noun}: model ${named.join(", ")}${more})`,
    )
  }
  return parts.join(", ")
}

/** Returns the command that prices the period's requests again, once pricing.overrides has prices for their models. */
function toRepriceCommand({ period }: UsageQuestion): string {
  return `majordomo-gateway pricing reprice --since ${toOffsetIso(period.since, period.tz).slice(0, 10)}`
}

/** Draws a bar per day. If nothing can be drawn, it renders a line per day that had requests. */
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
