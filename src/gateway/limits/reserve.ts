import { GatewayError } from "../../core/errors.ts"
import type { RequestLimits, Reservation } from "../../core/limit-reservation.ts"
import type { Deps } from "../deps.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import { Estimator, type EstimatorDeps } from "./estimator.ts"
import { LimitedCall } from "./limited-call.ts"
import { RunningReservation } from "./running-reservation.ts"

/** Stores the row of a request that is not forwarded. */
type RecordRejected = (request: ProxiedRequest, error: GatewayError) => void

/**
 * Creates the step that reserves what a request may use in all limits that apply to it. The step returns a promise only if
 * a limit has too little left to answer at once. A bug in it rejects the request: a limit that fails is never open.
 *
 * The step throws a LimitError, also as a rejection: `limit_exceeded`, `unpriced_model`, `limits_unavailable`. The request
 * has its row by then.
 */
export function createReserve(
  deps: EstimatorDeps & Pick<Deps, "onError">,
  recordRejected: RecordRejected,
): (limits: RequestLimits, request: ProxiedRequest) => void | Promise<void> {
  const estimator = new Estimator(deps)
  const onError = (error: unknown) => deps.onError(error, "limits")

  function keep(request: ProxiedRequest, call: LimitedCall, reservation: Reservation | undefined): void {
    if (reservation !== undefined) request.reservation = new RunningReservation(reservation, call, onError)
  }

  function reject(request: ProxiedRequest, error: unknown): never {
    recordRejected(
      request,
      error instanceof GatewayError ? error : new GatewayError("internal_error", "internal error"),
    )
    throw error
  }

  return (limits, request) => {
    try {
      const call = new LimitedCall(request, estimator)
      const found = limits.reserve(call)
      if (!(found instanceof Promise)) return keep(request, call, found)
      return found.then(
        (reservation) => keep(request, call, reservation),
        (error) => reject(request, error),
      )
    } catch (error) {
      return reject(request, error)
    }
  }
}
