import type { LogRecord } from "../../core/log-record.ts"
import { EMPTY_RECORD } from "../../core/row-columns.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import type { Log } from "./outage.ts"
import type { StoreResult } from "./store.ts"

/** Dropped rows that one row with `outcome = gap` counts. It is stored beside the journal until that row is kept. */
export interface Gap {
  /** The id of the gap row. It is fixed at the first dropped row, so that writing the row again does no harm. */
  readonly id: string
  count: number
  /** When the first and the last of them were dropped, in ms since the epoch. */
  readonly since: number
  until: number
  why: string
  /** Only the memory has the gap row, or it may be in the database already: its numbers must not change any more. */
  isSent?: boolean
}

interface Gaps {
  /** `rows` more rows were dropped. */
  add(reason: string, rows?: number): void
  /** Writes the gap rows that are due. */
  flush(): void
  /** The row with this id has left the memory: it is in the database or on the disk. The caller stores the counters. */
  left(id: string): void
  /** The gaps whose rows are not kept yet. */
  pending(): readonly Gap[]
}

interface GapsOptions {
  readonly intervalMs: number
  /** The gaps that earlier processes left. */
  readonly pending: readonly Gap[]
  now(): number
  /** Appends the gap row. Only `kept` means that it cannot be lost any more. */
  append(record: LogRecord): StoreResult
  /** The pending gaps have changed. */
  onChange(): void
  readonly log: Log
}

/** Makes dropped rows visible: one gap row per interval says how many there were. */
export function createGaps({ intervalMs, pending, now, append, onChange, log }: GapsOptions): Gaps {
  let gaps: readonly Gap[] = pending.map((gap) => ({ ...gap }))
  let timer: NodeJS.Timeout | undefined
  /** The ids of the gap rows that this process has in memory. */
  const inMemory = new Set<string>()

  function add(reason: string, rows = 1): void {
    const last = gaps.at(-1)
    if (last === undefined || last.isSent) {
      gaps = [...gaps, { id: uuidV7(now()), count: rows, since: now(), until: now(), why: reason }]
      log("error", `rows are dropped: ${reason}; requests are still served`)
    } else {
      last.count += rows
      last.until = now()
      last.why = reason
    }
    timer ??= setTimeout(flush, intervalMs).unref()
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    for (const gap of gaps) {
      if (inMemory.size > 0) break
      const rows = gap.count === 1 ? "1 row was" : `${gap.count} rows were`
      log("error", `${rows} dropped since ${new Date(gap.since).toISOString()}: ${gap.why}`)
      const result = append(toGapRecord(gap))
      if (result === "kept") gaps = gaps.filter((other) => other !== gap)
      else if (result === "memory") {
        inMemory.add(gap.id)
        gap.isSent = true
      } else break
      onChange()
    }
    if (gaps.length > 0) timer = setTimeout(flush, intervalMs).unref()
  }

  function left(id: string): void {
    if (!inMemory.delete(id)) return
    gaps = gaps.filter((gap) => gap.id !== id)
  }

  return { add, flush, left, pending: () => gaps }
}

/** Returns whether a value from the disk is a gap. */
export function isGap(value: unknown): value is Gap {
  const { id, count, since, until, why } = (value ?? {}) as Partial<Record<keyof Gap, unknown>>
  return typeof id === "string" && typeof why === "string" && [count, since, until].every(Number.isSafeInteger)
}

function toGapRecord({ id, count, since, until, why }: Gap): LogRecord {
  const requests = count === 1 ? "1 request has no row" : `${count} requests have no rows`
  return {
    ...EMPTY_RECORD,
    id,
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
