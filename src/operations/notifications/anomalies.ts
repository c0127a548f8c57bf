import { formatDecimal, fromNumber } from "../../core/decimal.ts"
import type { AnomalyFacts, Notification } from "../../core/notification.ts"
import { NEEDED_DAYS, type Score, scoreDays, scoreHours } from "../../notifications/anomaly/index.ts"
import { DIMENSIONS, listDays, type Period, parseMoment } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { type Asker, withAsker } from "../usage/asker.ts"
import { findDrivers } from "./drivers.ts"

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Rows can arrive late, and a gateway that did not run can have missed an hour. The outbox takes each hour once. */
const LAST_HOURS = 3
/** An anomaly is critical from so much above the usual cost on, and ten times of it. */
const CRITICAL_USD = 100
const CRITICAL_FACTOR = 10

interface AnomalyInput {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Whose hours of the week, and whose days, are compared. */
  readonly timeZone: string
}

/**
 * Finds spend far above its pattern: in the last hours that have ended, and yesterday. A day with an unusual hour is not
 * reported again.
 */
export function findAnomalies(
  { database }: Context<"database">,
  { now, timeZone }: AnomalyInput,
): Promise<readonly Notification<"anomaly">[]> {
  return withAsker(database, async (asker) => {
    const until = Math.floor(now / HOUR_MS) * HOUR_MS
    const start = until - (NEEDED_DAYS + 2) * DAY_MS
    const hours = scoreHours({ start, costs: await readHours(asker, start, until), timeZone })
    const yesterday = toYesterday(now, timeZone)
    const found: Found[] = hours.slice(-LAST_HOURS).flatMap((score, i) => {
      const since = until - (LAST_HOURS - i) * HOUR_MS
      return score?.isAlarm ? [{ period: "hour", score, since, until: since + HOUR_MS }] : []
    })
    const isKnown = hours.some((score, i) => score?.isUnusual && isWithin(start + i * HOUR_MS, yesterday))
    const day = isKnown ? undefined : await scoreYesterday(asker, yesterday)
    if (day?.isAlarm) found.push({ period: "day", score: day, since: yesterday.since, until: yesterday.until })
    const notifications: Notification<"anomaly">[] = []
    for (const each of found) notifications.push(await toNotification(asker, each, { now, timeZone }))
    return notifications
  })
}

interface Found {
  readonly period: AnomalyFacts["period"]
  readonly score: Score
  readonly since: number
  readonly until: number
}

interface Day extends Period {
  readonly until: number
}

const isWithin = (at: number, { since, until }: Day) => at >= since && at < until

function toYesterday(now: number, tz: string): Day {
  const edge = (name: "since" | "until") => parseMoment("yesterday", name, { now, tz })!
  return { since: edge("since"), until: edge("until"), tz }
}

/** Reads what each hour cost, in USD. Costs that are not known count as 0. */
async function readHours({ ask }: Asker, since: number, until: number): Promise<number[]> {
  const { rows } = await ask({ by: [DIMENSIONS["hour"]!], period: { since, until, tz: "UTC" }, filters: {} })
  const costs = new Array<number>((until - since) / HOUR_MS).fill(0)
  for (const { values, total_cost } of rows) {
    costs[(Date.parse(String(values[0])) - since) / HOUR_MS] = Number(total_cost ?? 0)
  }
  return costs
}

async function scoreYesterday({ ask }: Asker, { since, until, tz }: Day): Promise<Score | undefined> {
  const first = parseMoment(`${NEEDED_DAYS + 2}d`, "since", { now: since, tz })!
  const { rows } = await ask({ by: [DIMENSIONS["day"]!], period: { since: first, until, tz }, filters: {} })
  const costs = new Map(rows.map(({ values, total_cost }) => [String(values[0]), Number(total_cost ?? 0)]))
  return scoreDays(listDays(first, until, tz).map((day) => costs.get(day) ?? 0)).at(-1)
}

async function toNotification(
  asker: Asker,
  { period, score, since, until }: Found,
  { now, timeZone }: AnomalyInput,
): Promise<Notification<"anomaly">> {
  const { cost, drivers } = await findDrivers(asker, { since, until, tz: timeZone })
  const excess = score.cost - score.expected
  const isCritical = excess >= CRITICAL_USD && score.cost >= CRITICAL_FACTOR * score.expected
  const from = new Date(since).toISOString()
  return {
    kind: "anomaly",
    subject: period,
    window: period === "hour" ? from.slice(0, 13) : listDays(since, until, timeZone)[0]!,
    severity: isCritical ? "critical" : "warning",
    at: new Date(now).toISOString(),
    facts: {
      period,
      since: from,
      until: new Date(until).toISOString(),
      time_zone: timeZone,
      cost,
      expected: toDecimal(score.expected),
      upper: toDecimal(score.upper),
      drivers,
    },
  }
}

/** Returns an estimate of USD as a plain decimal. */
function toDecimal(usd: number): string {
  return formatDecimal(fromNumber(Number(usd.toFixed(4))))
}
