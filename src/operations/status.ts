import { join } from "node:path"
import { version } from "../../package.json"
import { explainReadOnly, readAbility } from "../database/ability.ts"
import { listGateways } from "../database/gateways.ts"
import { readStoredTotals } from "../database/ledger/life.ts"
import type { Context } from "./context.ts"
import { describeExpiring } from "./keys/expiring.ts"
import { findExhaustedLimits } from "./limits/exhausted.ts"
import { describeFailedDeliveries } from "./notifications/failed.ts"
import type { Replica } from "./open/replica.ts"
import { findPendingRows } from "./usage/pending-rows.ts"

/** Everything that shows whether the gateways of a database are well. Times are ISO 8601 in UTC. */
interface Status {
  /** The version of the program that answers. */
  readonly version: string
  readonly database: { readonly kind: "postgres" | "embedded"; readonly title: string }
  /** The replica from which reports are read, as the program that answers sees it; null: there is none. */
  readonly replica: {
    readonly is_used: boolean
    /** null: it is not known. */
    readonly lag_ms: number | null
  } | null
  readonly gateways: readonly {
    /** Its host and process. */
    readonly name: string
    readonly last_seen_at: string
    /** False: it has not been seen for more than 30 s. */
    readonly is_recent: boolean
  }[]
  /**
   * The rows of the data directory over its life: accepted = written + waiting + rejected + dropped. They are those of the
   * machine of the settings.
   */
  readonly rows: {
    readonly accepted: number
    readonly written: number
    readonly waiting: number
    readonly rejected: number
    readonly dropped: number
  }
  readonly prices: {
    readonly models: number
    /** When the price list that was fetched the longest ago was fetched; null: none is fetched. */
    readonly checked_at: string | null
  }
  /** What needs attention, one sentence each. */
  readonly problems: readonly string[]
}

const RECENT_MS = 30_000
const MAX_LIST_AGE_MS = 7 * 86_400_000

/** Summarizes the state of the gateways, of their database, of the journals and of the price lists. */
export async function readStatus(
  context: Context<"database" | "settings" | "prices" | "now"> & { readonly replica: Replica | undefined },
): Promise<Status> {
  const { database, settings, prices } = context
  const now = context.now()
  const ability = await readAbility(database.query)
  const gateways = (await listGateways(database)).map(({ name, lastSeenAt }) => ({
    name,
    last_seen_at: lastSeenAt,
    is_recent: now - Date.parse(lastSeenAt) < RECENT_MS,
  }))
  const waiting = await findPendingRows(context)
  const { accepted, written, rejected, dropped } = readStoredTotals(
    join(settings.storage.dataDir, "journal"),
    new Set(),
  )
  const checkedAt = prices.checkedAt()
  const expiring = await describeExpiring(database, now)
  const isOld = checkedAt !== undefined && now - checkedAt > MAX_LIST_AGE_MS
  const exhausted = await findExhaustedLimits(context)
  const undelivered = await describeFailedDeliveries(context)
  const readOnly = explainReadOnly(ability)
  const replica = await context.replica?.check()
  const problems = [
    ...(readOnly ? [`the database accepts no rows: ${readOnly.reason}; ${readOnly.fix}`] : []),
    ...ability.idleTriggers.map((name) => `trigger ${name} does not run, so reports miss new rows: see doctor`),
    ...ability.alterations.map((fault) => `the schema: ${fault}: see doctor`),
    ...(replica?.problem === undefined ? [] : [`the replica ${replica.problem}, so reports are read from the primary`]),
    ...gateways.filter((each) => !each.is_recent).map((each) => `the gateway ${each.name} has not been seen lately`),
    ...(rejected > 0 ? [`${toRows(rejected)} rejected by the database: see rejected.jsonl in the journal`] : []),
    ...(dropped > 0 ? [`${toRows(dropped)} dropped, because they could not be kept`] : []),
    ...exhausted,
    ...undelivered,
    ...(isOld ? ["a price list could not be fetched for more than a week: pricing refresh says why"] : []),
    ...(expiring ? [`${expiring}: see keys list, and keys update ID --expires 90d`] : []),
  ]
  return {
    version,
    database: { kind: database.kind, title: database.title },
    replica: replica === undefined ? null : { is_used: replica.isUsed, lag_ms: toWhole(replica.lagMs) },
    gateways,
    rows: { accepted, written, waiting, rejected, dropped },
    prices: { models: prices.modelCount(), checked_at: checkedAt === undefined ? null : toIso(checkedAt) },
    problems,
  }
}

const toRows = (count: number) => (count === 1 ? "1 row was" : `${count} rows were`)
const toWhole = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms))
const toIso = (at: number) => new Date(at).toISOString()
