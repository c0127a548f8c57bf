import { GatewayError } from "../core/errors.ts"
import type { Deps } from "./deps.ts"

/**
 * Rejects every request while the gateway shuts down. Called first, so that a shutdown never waits for the look-up of a
 * key.
 * @throws GatewayError `shutting_down`
 */
export function checkRunning({ isStopping }: Pick<Deps, "isStopping">): void {
  if (isStopping()) throw new GatewayError("shutting_down", "The gateway is shutting down.")
}

/**
 * Decides whether a request of a known client may be forwarded now. Called after `identify`, so that unknown clients
 * learn nothing about the ledger.
 * @throws GatewayError `ledger_full`
 */
export function admit({ ledger }: Pick<Deps, "ledger">): void {
  if (ledger.isFull()) {
    throw new GatewayError(
      "ledger_full",
      "The gateway's journal is full, so that it accepts no requests. Try again when its database is available.",
    )
  }
}
