import { readInSnapshot } from "../../database/slow-read.ts"
import {
  askTheseRuns,
  askUsage,
  type Measures,
  type Period,
  type Run,
  readRun,
  readsRollups,
  readUsage,
  type UsageQuestion,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { listLimitsOf } from "../limits/check.ts"
import type { ListedLimit } from "../limits/limit.ts"
import { listLimits } from "../limits/list.ts"
import { readRollups } from "./asker.ts"
import { parsePeriod } from "./question.ts"

interface SpendingQuestion {
  /** An API key; undefined: the requests of all keys. */
  readonly key: { readonly id: string; readonly name: string } | undefined
  /** The id of a session or a trace. */
  readonly session: string | undefined
  /** The time zone that decides when the day began. */
  readonly tz: string
}

/** The cost of requests, and counts of what is not in it. */
type Spending = Pick<
  Measures,
  "requests" | "total_cost" | "estimated" | "unpriced" | "subscription_requests" | "subscription_value"
>

interface CurrentSpending {
  /** Null: no request of the session has been written yet. */
  readonly session: Spending | null
  readonly today: Spending
  readonly limits: readonly ListedLimit[]
}

/**
 * Returns what a session and the day so far have cost, and the limits. It is asked often, by status lines, so it reads few
 * rows: those of the session by their index, and rollups.
 */
export async function readSpending(
  context: Context<"database" | "now">,
  { key, session, tz }: SpendingQuestion,
): Promise<CurrentSpending> {
  const { database, now } = context
  const day: UsageQuestion = { by: [], period: parsePeriod({ since: "today", tz }, now()), filters: { key: key?.id } }
  const sums = await readInSnapshot(database, async (read) => {
    const rollups = await readRollups(read)
    const { rows } = await read(askUsage(day, rollups), { serial: readsRollups(day, rollups) })
    const period: Period = { since: 0, until: undefined, tz }
    const runs =
      session === undefined
        ? []
        : (await read(askTheseRuns([session], { period, filters: { key: key?.id }, limit: 1 }, rollups))).rows
    return { today: readUsage(rows, day).total, session: runs.map(readRun).find(({ requests }) => requests > 0) }
  })
  return {
    session: sums.session === undefined ? null : toSpending(sums.session),
    today: toSpending(sums.today),
    limits: key === undefined ? await listLimits(context) : await listLimitsOf(context, key),
  }
}

function toSpending(sums: Measures | Run): Spending {
  const { requests, total_cost, estimated, unpriced, subscription_requests, subscription_value } = sums
  return { requests, total_cost, estimated, unpriced, subscription_requests, subscription_value }
}
