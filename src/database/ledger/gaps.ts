import type { LogRecord } from "../../core/call.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import { EMPTY_RECORD } from "./empty.ts"
import type { Log } from "./outage.ts"

export interface Gaps {
  /** One more row could not be kept. */
  add(reason: string): void
  /** Records what is not recorded yet. */
  flush(): void
}

export interface GapsOptions {
  readonly intervalMs: number
  now(): number
  /** Takes the row, or answers false: then the number is kept for the next time. */
  keep(record: LogRecord): boolean
  readonly log: Log
}

/** Rows that were dropped leave a trace: one row per interval with their number. */
export function createGaps({ intervalMs, now, keep, log }: GapsOptions): Gaps {
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
    log("error", `rows are dropped: ${reason}; traffic goes on`)
    timer ??= setTimeout(flush, intervalMs).unref()
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (count === 0) return
    log(
      "error",
      `${count} ${count === 1 ? "row was" : "rows were"} dropped since ${new Date(since).toISOString()}: ${why}`,
    )
    if (keep(toGapRecord({ count, since, until, why }))) count = 0
    else timer = setTimeout(flush, intervalMs).unref()
  }

  return { add, flush }
}

interface Gap {
  readonly count: number
  /** When the first and the last of them were dropped, ms since the epoch. */
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
