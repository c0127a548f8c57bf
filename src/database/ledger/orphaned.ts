import type { LogIntent, LogRecord } from "../../core/log-record.ts"
import { EMPTY_RECORD } from "../../core/row-columns.ts"

/**
 * Returns the row of a request that was in flight when its process died.
 * @param intent what `recordIntent` received, as JSON
 * @param diedAtMs about when the process died
 */
export function toOrphanedRecord(intent: string, diedAtMs: number): LogRecord {
  const known = JSON.parse(intent) as LogIntent
  const requestedAt = Date.parse(known.requested_at)
  // An intent without a valid time still gets its row.
  const requestedAtMs = Number.isNaN(requestedAt) ? diedAtMs : requestedAt
  const endedAt = new Date(Math.max(requestedAtMs, diedAtMs)).toISOString()
  return {
    ...EMPTY_RECORD,
    ...known,
    responded_at: endedAt,
    response_time_ms: Math.max(0, Math.round(diedAtMs - requestedAtMs)),
    created_at: endedAt,
    outcome: "gateway_died",
    error_message: "the gateway ended while this request was in flight: its answer, tokens and cost are not known",
  }
}
