import { randomUUID } from "node:crypto"
import { UNIT_OF_MEASURE } from "../core/limit-error.ts"
import type { Database } from "../database/_database.ts"
import { LIMITS_RETURN } from "../database/gateways.ts"
import { freeLeasesOfGateway, lease, listLeaseHolders, renewLeases } from "../database/leases.ts"
import type { LedgerOptions } from "../database/ledger/ledger.ts"
import { claimNotice, readAnswerSizes } from "../database/limit-notices.ts"
import { listLimits } from "../database/limits.ts"
import type { Scope } from "../kit/scope.ts"
import { createLimits, type Limits, type Threshold } from "../limits/index.ts"
import { toLimitNotification } from "./notifications/limit.ts"
import type { Notifications } from "./notifications/parts.ts"
import type { ServerOptions } from "./options.ts"

const TICK_MS = 100
/** Limits are read this often while notifications may be lost, and after a failure. */
const RELOAD_MS = 5_000
const RETRY_MS = 1_000
/** The sizes of so many earlier answers are learned from at the start. */
const LEARNED_ANSWERS = 2_000

interface LimitsParts extends Pick<ServerOptions, "settings" | "log"> {
  readonly database: Database
  /** The journal of this process, as in `majordomo_gateways`. */
  readonly slot: string
  /** Whether notifications of the database are known to arrive. */
  hearsChanges(): boolean
  /** Tells operators; undefined without channels. */
  readonly notifications?: Pick<Notifications, "notify"> | undefined
}

export interface OpenLimits {
  readonly limits: Limits
  /** Handles a notification about limits. */
  onNotify(payload: string): void
  /** What the ledger must report about rows. When those of earlier processes of the slot are written, their leases are freed. */
  readonly rowHooks: Pick<LedgerOptions, "onWritten" | "onAllWritten" | "onRecovered">
}

/** Opens the limits of this process, and keeps them up to date. The scope returns their leases. */
export async function openLimits(parts: LimitsParts, scope: Scope): Promise<OpenLimits> {
  const { database, slot, hearsChanges, log } = parts
  const earlier = await listLeaseHolders(database, slot).catch(() => [])
  const limits = createLimits({
    table: {
      lease: (gateway, at, items) => lease(database, { gateway, slot, at, items }),
      renew: (gateway) => renewLeases(database, gateway),
      free: (gateway) => freeLeasesOfGateway(database, gateway),
    },
    newGatewayId: randomUUID,
    now: () => performance.now(),
    wallClock: Date.now,
    after: (ms, run) => void setTimeout(run, ms).unref(),
    warn: (line) => log("warn", line),
    whenUnavailable: parts.settings.server.limitsWhenUnavailable,
    onThreshold: (threshold) => void announce(parts, threshold),
  })
  let reloadAt = 0
  let hasLearned = false
  let hasFailed = false

  const reload = createRepeatable(async () => {
    reloadAt = performance.now() + RELOAD_MS
    try {
      limits.replace(await listLimits(database))
      hasFailed = false
      if (!limits.isEmpty && !hasLearned) {
        hasLearned = true
        void learn(database, limits)
      }
    } catch {
      hasFailed = true
      reloadAt = performance.now() + RETRY_MS
    }
  })

  await reload()
  const timer = setInterval(() => {
    limits.tick()
    if (performance.now() >= reloadAt && (hasFailed || !hearsChanges())) void reload()
  }, TICK_MS).unref()
  scope.own(async () => {
    clearInterval(timer)
    await limits.close()
  })
  return {
    limits,
    onNotify: (payload) => (payload === LIMITS_RETURN ? limits.returnIdle() : void reload()),
    rowHooks: {
      onWritten: (ids) => limits.committed(ids),
      onAllWritten: () => limits.committedAll(),
      onRecovered: () => earlier.forEach((gateway) => void freeUntilDone(database, gateway)),
    },
  }
}

/** Announces that a limit has passed a percentage. Of all gateways, one logs it, and one notification is stored. */
async function announce({ database, log, notifications }: LimitsParts, threshold: Threshold): Promise<void> {
  notifications?.notify(toLimitNotification(threshold, Date.now()))
  const { limit, value, percent, windowStart } = threshold
  const isOurs = await claimNotice(database, { limit: limit.id, value, windowStart, percent }).catch(() => false)
  if (isOurs) log("warn", describeThreshold(threshold))
}

function describeThreshold({ limit, value, percent, used, amount, windowEnd }: Threshold): string {
  const group = value === "" ? "" : ` for ${JSON.stringify(value)}`
  const unit = UNIT_OF_MEASURE[limit.measure]
  const resets = windowEnd === undefined ? "" : `; it resets at ${new Date(windowEnd).toISOString()}`
  return `limits: ${JSON.stringify(limit.name)}${group} has used ${percent} % of its amount: ${used} of ${amount} ${unit}${resets}`
}

/** Learns from earlier answers how long those of each key and model are. */
async function learn(database: Database, limits: Limits): Promise<void> {
  const answers = await readAnswerSizes(database, LEARNED_ANSWERS).catch(() => [])
  for (const { keyId, model, requestedModel, outputTokens } of answers) {
    limits.learnOutput(keyId, model, outputTokens)
    if (requestedModel !== model) limits.learnOutput(keyId, requestedModel, outputTokens)
  }
}

/** They expire by themselves after 15 minutes, so a failure does no harm that lasts. */
async function freeUntilDone(database: Database, gateway: string): Promise<void> {
  await freeLeasesOfGateway(database, gateway).catch(() => {
    setTimeout(() => void freeUntilDone(database, gateway), RETRY_MS).unref()
  })
}

/** Runs `work` once at a time. Calls while it runs share one further run. */
function createRepeatable(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let isWanted = false
  async function run(): Promise<void> {
    while (isWanted) {
      isWanted = false
      await work()
    }
    running = undefined
  }
  return () => {
    isWanted = true
    running ??= run()
    return running
  }
}
