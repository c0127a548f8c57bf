import type { Settings } from "../config/settings.ts"
import type { Database } from "../database/_database.ts"
import { listUnarchivedDays, requireArchive } from "../database/archive/days.ts"
import { toFinishedDay } from "../operations/archive/finished-day.ts"
import { type ArchiverEnding, archiveInThread } from "../operations/archive/thread.ts"

/** How often a gateway looks whether a day is finished, give or take a half, so that not all begin at the same second. */
const TICK_MS = 10 * 60_000

interface DailyArchiveOptions {
  readonly settings: Settings
  readonly database: Database
  now(): number
  log(level: "info" | "warn", line: string): void
  readonly tickMs?: number
  readonly run?: typeof archiveInThread
}

/**
 * Implements `archive.daily`: writes finished days to the archive. Of the gateways of a database, the first one that sees a
 * finished day writes it.
 */
export function startDailyArchive(options: DailyArchiveOptions): { close(): Promise<void> } {
  const { settings, database, now, log, tickMs = TICK_MS, run = archiveInThread } = options
  const { to, daily, beforePrune, settleMs } = settings.archive
  const closing = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let logged = ""

  const warnOnce = (line: string) => {
    if (line !== logged) log("warn", line)
    logged = line
  }

  async function tick(): Promise<void> {
    try {
      await requireArchive(database.query, beforePrune)
      if (to === undefined || !daily) return
      const days = await listUnarchivedDays(database.query, toFinishedDay(now(), settleMs))
      if (days.length === 0) return
      announce(await run(settings, { log: (line) => log("warn", line), signal: closing.signal }))
    } catch (error) {
      if (!closing.signal.aborted) warnOnce(`archive: finished days were not written: ${(error as Error).message}`)
    }
  }

  function announce(ending: ArchiverEnding | undefined): void {
    if (ending === undefined || closing.signal.aborted) return
    if (ending.type === "failed") {
      if (!ending.isBusy) warnOnce(`archive: finished days were not written: ${ending.reason}. It is tried again`)
      return
    }
    logged = ""
    const { days, rows, place } = ending.result
    const verified = days.filter(({ status }) => status === "verified").length
    log("info", `archive: wrote ${rows} rows to ${place}; ${verified} of ${days.length} days are verified`)
  }

  function schedule(afterMs: number): void {
    timer = setTimeout(async () => {
      running = tick()
      await running
      if (!closing.signal.aborted) schedule(tickMs * (0.5 + Math.random()))
    }, afterMs).unref()
  }

  if (beforePrune && to === undefined) {
    log("warn", "archive.before_prune keeps all requests, because archive.to does not say where the archive is")
  }
  schedule(tickMs * Math.random())
  return {
    async close() {
      closing.abort()
      clearTimeout(timer)
      await running
    },
  }
}
