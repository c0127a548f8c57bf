import { join } from "node:path"
import { toUsedShare } from "../../core/limit.ts"
import { listArchivedDays } from "../../database/archive/days.ts"
import { readIfMigrated } from "../../database/failures.ts"
import { readStoredTotals } from "../../database/ledger/life.ts"
import { readLimitStates } from "../../database/limits.ts"
import { findStaleSince } from "../../pricing/price-book.ts"
import type { Context } from "../context.ts"
import { readKeyNames } from "../limits/limit.ts"
import { summarizeReconciliations } from "../notifications/reconciliations.ts"
import { listUnpriced } from "../prices/unpriced.ts"
import { findPendingRows } from "../usage/pending-rows.ts"
import { type ListedGateway, listRunning } from "./gateways.ts"

/** A limit of which much is used. */
interface Budget {
  readonly name: string
  /** The value of `per` that has used most; null for a limit without it. */
  readonly value: string | null
  readonly measure: string
  /** Plain decimals in the unit of the measure. */
  readonly used: string
  readonly amount: string
  /** From 0; 1 and more: it is used up. */
  readonly share: number
  readonly resets_at: string | null
}

/** The facts that `status` shows, from which follows what needs attention. Times are ISO 8601 in UTC. */
export interface Facts {
  readonly gateways: readonly ListedGateway[]
  /**
   * The rows of the data directory over its life: accepted = written + waiting + rejected + dropped. They are those of the
   * machine of the settings.
   */
  readonly rows: Readonly<Record<"accepted" | "written" | "waiting" | "rejected" | "dropped", number>>
  readonly prices: {
    readonly models: number
    /** The names of the lists that are fetched. */
    readonly lists: readonly string[]
    /** When each of them was last fetched; null: never. */
    readonly fetched: Readonly<Record<string, string | null>>
    /** When the one that was fetched the longest ago was fetched; null: none is fetched, or one never was. */
    readonly checked_at: string | null
    /** Since when a list could not be fetched, as far as the program that answers knows; null: none is fetched. */
    readonly stale_since: string | null
  }
  /** The requests of the last 30 days without a known price, and their models. */
  readonly unpriced: { readonly requests: number; readonly models: readonly string[] }
  /** The limits of which more than 80 % is used. */
  readonly budgets: readonly Budget[]
  /** The comparisons with bills of the last 30 days. */
  readonly reconciliations: Awaited<ReturnType<typeof summarizeReconciliations>>
  /** Null: there is no archive. */
  readonly archive: {
    readonly days: number
    readonly newest: string
    /** Days whose files do not have what the database has. */
    readonly failed: number
  } | null
}

const DAYS_MS = 30 * 86_400_000
const NEAR = 0.8

/** Reads what there is to know about the gateways of a database, besides the state of the database itself. */
export async function readFacts(context: Context<"database" | "settings" | "prices" | "now">): Promise<Facts> {
  const { settings, prices, now } = context
  const period = { since: now() - DAYS_MS, until: undefined, tz: "UTC" }
  const waiting = await findPendingRows(context)
  const { accepted, written, rejected, dropped } = readStoredTotals(
    join(settings.storage.dataDir, "journal"),
    new Set(),
  )
  const unpriced = await readIfMigrated(() => listUnpriced(context, period))
  return {
    gateways: await listRunning(context),
    rows: { accepted, written, waiting, rejected, dropped },
    prices: readPriceFacts(prices),
    unpriced: {
      requests: unpriced.reduce((sum, each) => sum + each.unpriced, 0),
      models: [...new Set(unpriced.map(({ model }) => model ?? ""))],
    },
    budgets: await listBudgets(context),
    reconciliations: await readIfMigrated(async () =>
      summarizeReconciliations(context, { since: period.since, until: now() + 86_400_000 }),
    ),
    archive: await readArchive(context),
  }
}

function readPriceFacts(prices: Context<"prices">["prices"]): Facts["prices"] {
  const checks = prices.checks().map(({ source, checkedAt }) => [source, toIso(checkedAt)] as const)
  const times = checks.flatMap(([, at]) => at ?? [])
  return {
    models: prices.modelCount(),
    lists: checks.map(([source]) => source),
    fetched: Object.fromEntries(checks),
    checked_at: times.length < checks.length ? null : (times.toSorted()[0] ?? null),
    stale_since: toIso(findStaleSince(prices.checks())),
  }
}

const toIso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString())

async function listBudgets({ database, now }: Context<"database" | "now">): Promise<readonly Budget[]> {
  const states = await readLimitStates(database, { at: now(), top: 1 })
  const near = states.filter(
    ({ limit: { measure, amount }, used }) => measure !== "concurrency" && Number(used) > NEAR * Number(amount),
  )
  if (near.length === 0) return []
  const names = await readKeyNames(database)
  return near.map(({ limit, value, used, resetsAt }) => ({
    name: limit.name,
    value: limit.per === undefined ? null : (limit.per === "key" && names.get(value)) || value,
    measure: limit.measure,
    used,
    amount: limit.amount,
    share: toUsedShare({ amount: limit.amount, used }),
    resets_at: resetsAt ?? null,
  }))
}

async function readArchive({ database }: Context<"database">): Promise<Facts["archive"]> {
  const days = await readIfMigrated(async () => [...(await listArchivedDays(database.query))])
  const newest = days.at(-1)
  if (newest === undefined) return null
  const failed = days.filter(({ status }) => status === "failed").length
  return { days: days.length, newest: newest.day, failed }
}
