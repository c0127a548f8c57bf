import {
  DIMENSIONS,
  listDays,
  type Measures,
  toOffsetIso,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"
import { toDollars } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { printable, withThousands } from "../_text.ts"
import { renderBreakdown, toCostCell } from "./_breakdown.ts"
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
  const tokens = (m: Measures) => m.input_tokens + m.output_tokens
  return [
    `Requests  ${withThousands(now.requests)}${change(now.requests, then.requests)}${now.errors > 0 ? `, ${withThousands(now.errors)} with an error` : ""}`,
    `Tokens    ${withThousands(tokens(now))}${change(tokens(now), tokens(then))}`,
    `Cost      ${toCostCell(now)}${change(Number(now.total_cost), Number(then.total_cost))}`,
    `Sure      ${toSureness(overview)}`,
    ...(now.unpriced > 0 ? [`          with prices for them: ${toRepriceCommand(overview.question)}`] : []),
    "",
    ...renderDays(overview, screen),
    "",
    renderBreakdown(BY.model, models, screen, "no notes"),
    renderBreakdown(BY.key, keys, screen, "no notes"),
  ].join("\n")
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
    const named = unpricedModels.slice(0, 3).map((model) => printable(model) || "(no model)")
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

const LEVELS = " ▁▂▃▄▅▆▇█"

/** A bar per day, side by side; where nothing can be drawn, the days that had requests. */
function renderDays({ days, allDays }: Overview, { drawing, width = 80 }: Screen): string[] {
  const costs = new Map(days.rows.map((row) => [row.values[0], row]))
  if (!drawing) {
    return [...costs].map(([day, { total_cost, requests }]) => {
      const cost = total_cost === null ? "unpriced" : toDollars(total_cost)
      return `${day}  ${cost}  ${withThousands(requests)} request${requests === 1 ? "" : "s"}`
    })
  }
  const perBar = Math.max(1, Math.ceil(allDays.length / (width - 2)))
  const sums = Array.from({ length: Math.ceil(allDays.length / perBar) }, (_, i) =>
    allDays.slice(i * perBar, (i + 1) * perBar).reduce((sum, day) => sum + Number(costs.get(day)?.total_cost ?? 0), 0),
  )
  const highest = Math.max(...sums)
  const bars = sums.map((sum) => (sum === 0 ? "·" : LEVELS[Math.max(1, Math.round((sum / highest) * 8))]!))
  const caption = `${allDays[0]} to ${allDays.at(-1)}, cost per ${perBar === 1 ? "day" : `${perBar} days`}`
  return [bars.join(""), caption]
}
