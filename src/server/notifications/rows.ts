import type { RowsDroppedFacts, RowsWaitingFacts } from "../../core/notification.ts"
import type { LedgerStats } from "../../database/ledger/ledger.ts"
import { isWanted } from "../../notifications/rules.ts"
import type { Outbox } from "./outbox.ts"
import type { NotificationOptions, NotificationTiming } from "./parts.ts"

/** This number of waiting rows is too large, however young they are. */
const MANY_ROWS = 10_000

interface RowOptions extends Pick<NotificationOptions, "settings"> {
  /** The name of the gateway. */
  readonly gateway: string
  readonly now: () => number
  readonly timing: Pick<NotificationTiming, "rowsWaitMs">
  stats(): LedgerStats
}

/** Creates the check whether rows of this gateway wait too long, were dropped or rejected, each once an hour at most. */
export function createRowCheck(options: RowOptions, { notify }: Pick<Outbox, "notify">): () => void {
  const { settings, gateway, now, timing, stats } = options
  const wantsWaiting = isWanted("rows_waiting", settings.notifications)
  const wantsDropped = isWanted("rows_dropped", settings.notifications)
  let manySince: number | undefined
  let waitingHour = ""
  let droppedHour = ""
  let told = { dropped: 0, rejected: 0 }

  function checkWaiting({ waiting, stalledSince, lastError }: LedgerStats): void {
    manySince = waiting < MANY_ROWS ? undefined : (manySince ?? now())
    const oldestMs = now() - Math.min(stalledSince ?? now(), manySince ?? now())
    const hour = toHour(now())
    if (waiting === 0 || oldestMs < timing.rowsWaitMs || waitingHour === hour) return
    waitingHour = hour
    const facts: RowsWaitingFacts = {
      gateway,
      waiting,
      oldest_seconds: Math.round(oldestMs / 1000),
      last_error: toCode(lastError),
    }
    const at = new Date(now()).toISOString()
    notify(
      { kind: "rows_waiting", subject: gateway, window: hour, severity: "critical", at, facts },
      { isUrgent: true },
    )
  }

  function checkDropped({ dropped, rejected, lastError }: LedgerStats): void {
    const more = { dropped: dropped - told.dropped, rejected: rejected - told.rejected }
    const hour = toHour(now())
    if (more.dropped + more.rejected <= 0 || droppedHour === hour) return
    droppedHour = hour
    const facts: RowsDroppedFacts = { gateway, ...more, last_error: toCode(lastError) }
    const at = new Date(now()).toISOString()
    const onStored = (isNew: boolean) => {
      // The notification of an earlier process in this hour does not include these rows: that of the next hour will.
      if (isNew) told = { dropped, rejected }
    }
    notify({ kind: "rows_dropped", subject: gateway, window: hour, severity: "critical", at, facts }, { onStored })
  }

  return () => {
    const present = stats()
    if (wantsWaiting) checkWaiting(present)
    if (wantsDropped) checkDropped(present)
  }
}

const toHour = (now: number) => new Date(now).toISOString().slice(0, 13)

/** The message of a database can name its host and its user, and notifications leave the network. */
const toCode = (error: string | undefined) => error?.split(": ", 1)[0]?.slice(0, 80)
