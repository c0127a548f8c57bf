import type { Ending } from "../core/call.ts"
import { GatewayError, type GatewayErrorCode } from "../core/errors.ts"
import { NO_READING } from "../core/usage.ts"
import type { ClientLeft } from "./read-body.ts"

/** The status of a row whose client got no answer. nginx uses the same number, which log readers recognize. */
export const STATUS_CLIENT_CLOSED_REQUEST = 499

/** The `error_message` of an answer that was interrupted. */
export const INTERRUPTIONS = {
  clientLeft: "the client disconnected before its answer was complete",
  aborted: "the gateway stopped before the answer was complete: server.shutdown_timeout was exceeded",
  providerSilent: "the provider stopped sending",
  providerBrokeOff: "the provider disconnected before its answer was complete",
} as const

/** The `error_message` of an answer that the provider broke off. */
export function toInterruption(failure: GatewayError): string {
  return failure.code === "provider_timeout" ? INTERRUPTIONS.providerSilent : INTERRUPTIONS.providerBrokeOff
}

/** The errors of limits and of the policy of a key. */
const REJECTIONS: ReadonlySet<GatewayErrorCode> = new Set([
  "limit_exceeded",
  "limits_unavailable",
  "unpriced_model",
  "model_not_allowed",
  "provider_not_allowed",
])

/** Whether a request was rejected because of a limit or the policy of its key, so that it has a row that says so. */
export function isRejection(error: unknown): error is GatewayError {
  return error instanceof GatewayError && REJECTIONS.has(error.code)
}

/**
 * The ending of a request that was not forwarded: its body did not arrive, or it was rejected.
 * @param isAborting whether the gateway itself closes the connections that are still open
 */
export function toUnforwardedEnding(
  error: GatewayError | ClientLeft,
  respondedAt: number,
  isAborting: boolean,
): Ending {
  const isAnswered = error instanceof GatewayError
  const interruption = isAborting ? "shutdown" : "client_left"
  return {
    outcome: isRejection(error) ? "rejected" : isAnswered ? "complete" : interruption,
    statusCode: isAnswered ? error.status : STATUS_CLIENT_CLOSED_REQUEST,
    respondedAt,
    firstByteMs: undefined,
    streamed: false,
    error: isAborting && !isAnswered ? INTERRUPTIONS.aborted : error.message,
    reading: NO_READING,
  }
}
