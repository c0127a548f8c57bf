import { listConfigured } from "../config/billing-credentials.ts"
import type { Settings } from "../config/settings.ts"
import { GATEWAY_ACTOR } from "../core/actor.ts"
import type { Database } from "../database/_database.ts"
import type { DailyResult } from "../operations/reconcile/daily.ts"
import type { Notifications } from "./notifications/parts.ts"
import { toReconciliationNotification } from "./notifications/reconciliation.ts"

/** How often a gateway looks whether a comparison is due, give or take a half, so that not all ask at the same second. */
const TICK_MS = 10 * 60_000

interface DailyOptions {
  readonly settings: Settings
  readonly database: Database
  now(): number
  log(level: "info" | "warn", line: string): void
  readonly tickMs?: number
  /** Tells operators; undefined without channels. */
  readonly notifications?: Pick<Notifications, "notify"> | undefined
}

/**
 * Implements `reconcile.daily`: compares the bill of each provider whose credential is set, once a day among all gateways of
 * the database.
 */
export function startDailyReconcile(options: DailyOptions): { close(): Promise<void> } {
  const { settings, database, now, log, tickMs = TICK_MS } = options
  const providers = settings.reconcile.daily ? listConfigured(settings) : []
  const closing = new AbortController()
  const logged = new Map<string, string>()
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  async function run(provider: string): Promise<void> {
    const context = { settings, database, now, log: () => {}, actor: GATEWAY_ACTOR, signal: closing.signal }
    try {
      // Loading it would delay each start.
      const { reconcileDaily } = await import("../operations/reconcile/daily.ts")
      for (const result of await reconcileDaily(context, provider)) announce(options, result)
      logged.delete(provider)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (closing.signal.aborted || logged.get(provider) === reason) return
      logged.set(provider, reason)
      log("warn", `reconcile: the bill of ${provider} was not compared: ${reason}. It is tried again every hour`)
    }
  }

  function schedule(): void {
    timer = setTimeout(
      async () => {
        running = (async () => {
          for (const provider of providers) if (!closing.signal.aborted) await run(provider)
        })()
        await running
        if (!closing.signal.aborted) schedule()
      },
      tickMs * (0.5 + Math.random()),
    ).unref()
  }

  if (providers.length > 0) schedule()
  return {
    async close() {
      closing.abort()
      clearTimeout(timer)
      await running
    },
  }
}

/** Announces a difference beyond `reconcile.alert_above`. */
function announce({ log, now, notifications }: DailyOptions, result: DailyResult): void {
  const { reconciliation, newDays, excess } = result
  const notification = toReconciliationNotification(result, now())
  if (notification !== undefined) notifications?.notify(notification)
  if (!excess.isBeyond) return
  const { provider } = reconciliation
  const days = newDays.length === 1 ? newDays[0] : `${newDays[0]} to ${newDays.at(-1)}`
  log(
    "warn",
    `reconcile: $${excess.amount} of the bill of ${provider} for ${days} is outside the gateway, in prices, in tokens or unexplained, and $${excess.tolerated} is tolerated (reconcile.alert_above). See why: majordomo-gateway reconcile --provider ${provider} --since ${newDays[0]}`,
  )
}
