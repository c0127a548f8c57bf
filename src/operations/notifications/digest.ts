import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { DigestFacts, Notification } from "../../core/notification.ts"
import { DIMENSIONS, listDays, type Period, parseMoment, type UsageAnswer } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { type Asker, withAsker } from "../usage/asker.ts"
import { listAttention } from "./attention.ts"
import { listBudgets } from "./budgets.ts"
import { compareGroups, type GroupsOfDimension, pickChanges } from "./groups.ts"
import { KEY, MODEL, pickNames } from "./names.ts"
import { summarizeReconciliations } from "./reconciliations.ts"

interface DigestInput {
  readonly every: DigestFacts["every"]
  /** Milliseconds since the epoch. The digest is about the last whole day, week or month before it. */
  readonly now: number
  readonly timeZone: string
}

const PERIODS = { day: "yesterday", week: "last-week", month: "last-month" } as const
const TOP = 5
const HOUR_MS = 3_600_000

/** Summarizes the last whole day, week (from Monday) or calendar month of a time zone. Its numbers are those of `usage`. */
export async function buildDigest(
  context: Context<"database" | "settings">,
  { every, now, timeZone }: DigestInput,
): Promise<Notification<"digest">> {
  const period = toPeriod(PERIODS[every], now, timeZone)
  const spend = await withAsker(context.database, (asker) => readSpend(asker, every, period))
  const reconciliations = await summarizeReconciliations(context, period)
  const { names, dropped, unpriced, ...numbers } = spend
  const facts: DigestFacts = {
    every,
    since: toIso(period.since),
    until: toIso(period.until),
    time_zone: timeZone,
    ...numbers,
    top: names
      .filter(({ groups }) => groups.length > 0)
      .map(({ dimension, groups }) => ({ dimension, groups: groups.slice(0, TOP) })),
    changes: pickChanges(names),
    budgets: await listBudgets(context, now),
    reconciliations,
    attention: await listAttention(context, { now, reconciliations, dropped, unpriced, ...numbers }),
  }
  const window = listDays(period.since, period.until, timeZone)[0]!
  return { kind: "digest", subject: every, window, severity: "info", at: toIso(now), facts }
}

const toIso = (at: number) => new Date(at).toISOString()

type Closed = Period & { readonly until: number }

function toPeriod(name: string, now: number, tz: string): Closed {
  const edge = (side: "since" | "until") => parseMoment(name, side, { now, tz })!
  return { since: edge("since"), until: edge("until"), tz }
}

async function readSpend(asker: Asker, every: DigestFacts["every"], period: Closed) {
  const { ask } = asker
  const step = DIMENSIONS[every === "day" ? "hour" : "day"]!
  const current = await ask({ by: [step], period, filters: {} })
  // The day, week or month before, which a change of the clock can make shorter or longer.
  const earlier = toPeriod(PERIODS[every], period.since, period.tz)
  const before = (await ask({ by: [], period: earlier, filters: {} })).total
  const names: GroupsOfDimension[] = []
  for (const dimension of [MODEL, KEY, ...pickNames(asker.rollups)]) {
    const [now, then] = [
      await ask({ by: [dimension], period, filters: {} }),
      await ask({ by: [dimension], period: earlier, filters: {} }),
    ]
    if (dimension.metadata === undefined || hasValues(now)) names.push(compareGroups(dimension, now, then))
  }
  const { total } = current
  const cost = total.total_cost ?? "0"
  const estimated = total.estimated === 0 ? "0" : await asker.askEstimatedCost(period)
  const models = await ask({ by: [DIMENSIONS["provider"]!, MODEL], period, filters: {} })
  return {
    cost,
    previous_cost: before.total_cost ?? "0",
    requests: total.requests,
    previous_requests: before.requests,
    errors: total.errors,
    previous_errors: before.errors,
    exact_cost: formatDecimal(parseDecimal(cost) - parseDecimal(estimated)),
    estimated_cost: estimated,
    unpriced_requests: total.unpriced,
    course: toCourse(current, every, period),
    names,
    dropped: await asker.askDropped(period),
    unpriced: models.rows
      .filter((row) => row.unpriced > 0)
      .map(({ values: [provider, model], unpriced }) => ({ provider, model, requests: unpriced })),
  }
}

function hasValues({ rows }: UsageAnswer): boolean {
  return rows.some(({ values }) => values[0] !== null)
}

/** Returns the cost of each hour of a day, or of each day, also where there was none. */
function toCourse(
  { rows }: UsageAnswer,
  every: DigestFacts["every"],
  { since, until, tz }: Closed,
): DigestFacts["course"] {
  if (every === "day") {
    const costs = new Map(rows.map(({ values, total_cost }) => [Date.parse(String(values[0])), total_cost ?? "0"]))
    const hours = Array.from({ length: Math.ceil((until - since) / HOUR_MS) }, (_, i) => since + i * HOUR_MS)
    return hours.map((at) => ({ at: toIso(at), cost: costs.get(at) ?? "0" }))
  }
  const costs = new Map(rows.map(({ values, total_cost }) => [String(values[0]), total_cost ?? "0"]))
  return listDays(since, until, tz).map((day) => ({
    at: toIso(parseMoment(day, "since", { now: until, tz })!),
    cost: costs.get(day) ?? "0",
  }))
}
