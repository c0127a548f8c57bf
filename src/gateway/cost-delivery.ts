import type { Headers } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"

/** How a client gets the cost of a streamed answer: in HTTP trailers, or in a comment after the last event. */
export type CostDelivery = "trailer" | "event"

/**
 * Returns how the client wants the cost of a streamed answer; undefined: it did not ask for it.
 *
 * @throws GatewayError `bad_request` for an unknown value
 */
export function readCostDelivery(headers: Headers): CostDelivery | undefined {
  const value = headers["x-majordomo-cost"]
  if (value === undefined || value === "trailer" || value === "event") return value
  throw new GatewayError("bad_request", "X-Majordomo-Cost must be trailer or event. Correct the header or remove it.")
}
