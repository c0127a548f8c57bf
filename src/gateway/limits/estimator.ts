import type { Estimate } from "../../core/limit-reservation.ts"
import type { Deps } from "../deps.ts"
import type { ProxiedRequest } from "../proxied-request.ts"

/** Estimates what requests may use. */
export interface Estimator {
  /** Returns true if the provider does not charge for the operation of the request. */
  isFree(request: ProxiedRequest): boolean
  estimate(request: ProxiedRequest, kind: "expected" | "maximum"): Estimate
  /** Returns the cost of so many tokens at the usual rates in nano-USD, rounded up; undefined: the price is not known. */
  cost(request: ProxiedRequest, inputTokens: number, outputTokens: number): number | undefined
}

export function createEstimator(_deps: Deps): Estimator {
  return {
    isFree,
    estimate: () => ({ inputTokens: 1, outputTokens: 1, cost: 1 }),
    cost: () => 1,
  }
}

/** The creation of a job costs nothing by itself, but a limit that is used up rejects it like any other work. */
function isFree({ dialect, providerRequest }: ProxiedRequest): boolean {
  const { method, path } = providerRequest
  return dialect.isFree(providerRequest) && dialect.routes.operations.find(method, path).operation !== "job"
}
