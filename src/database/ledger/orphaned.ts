import type { LogIntent, LogRecord } from "../../core/call.ts"
import { EMPTY_RECORD } from "./empty.ts"

/**
 * The row of a request that was in flight when the gateway died.
 * @param begun what `begin` was given, as JSON
 * @param diedAtMs about when that was
 */
export function toOrphanedRecord(begun: string, diedAtMs: number): LogRecord {
  const start = JSON.parse(begun) as LogIntent
  const requestedAtMs = Date.parse(start.requested_at)
  const endedAt = new Date(Math.max(requestedAtMs, diedAtMs)).toISOString()
  return {
    ...EMPTY_RECORD,
    ...start,
    responded_at: endedAt,
    response_time_ms: Math.max(0, Math.round(diedAtMs - requestedAtMs)),
    created_at: endedAt,
    outcome: "gateway_died",
    error_message: "the gateway ended while this request was in flight: its answer, tokens and cost are not known",
  }
}
