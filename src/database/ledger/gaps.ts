import type { LogRecord } from "../../core/log-record.ts"
import { EMPTY_RECORD } from "../../core/row-columns.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import type { Log } from "./outage.ts"

interface Gaps {
  /** One more row was dropped. */
  add(reason: string): void
  /** Records the rows that no gap row counts yet. */
  flush(): void
}

interface GapsOptions {
  readonly intervalMs: number
  now(): number
  /** Appends the gap row. Returns whether it was kept; if not, its number is part of the next one. */
  append(record: LogRecord): boolean
  readonly log: Log
}

/** Makes dropped rows visible: one gap row per interval says how many there were. */
export function createGaps({ intervalMs, now, append, log }: GapsOptions): Gaps {
  let count = 0
  let since = 0
  let until = 0
  let why = ""
  let timer: NodeJS.Timeout | undefined

  function add(reason: string): void {
    until = now()
    why = reason
    if (count++ > 0) return
    since = until
    log("error", `rows are dropped: ${reason}; requests are still served`)
    timer ??= setTimeout(flush, intervalMs).unref()
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (count === 0) return
    const rows = count === 1 ? "1 row was" : `${count} rows were`
    log("error", `${rows} dropped since ${new Date(since).toISOString()}: ${why}`)
    if (append(toGapRecord({ count, since, until, why }))) count = 0
    else timer = setTimeout(flush, intervalMs).unref()
  }

  return { add, flush }
}

interface Gap {
  readonly count: number
  /** When the first and the last of them were dropped, in ms since the epoch. */
  readonly since: number
  readonly until: number
  readonly why: string
}

function toGapRecord({ count, since, until, why }: Gap): LogRecord {
  const requests = count === 1 ? "1 request has no row" : `${count} requests have no rows`
  return {
    ...EMPTY_RECORD,
    id: uuidV7(until),
    majordomo_api_key_id: undefined,
    provider: "majordomo",
    model: "",
    request_path: "",
    request_method: "",
    requested_at: new Date(since).toISOString(),
    responded_at: new Date(until).toISOString(),
    created_at: new Date(until).toISOString(),
    usage: { dropped: count },
    error_message: `${requests}: ${why}`,
    outcome: "gap",
  }
}
