import { CommandError } from "../../core/errors.ts"
import type { Context } from "../context.ts"

interface RefreshResult {
  readonly status: "updated" | "unchanged"
  /** The day of the price list, `2026-11-28`. */
  readonly updated_at: string
  readonly models: number
}

/**
 * Fetches the price list and stores it for the next start.
 *
 * @throws CommandError if no address is configured or the list cannot be fetched; the prices then stay as they are
 */
export async function refreshPrices({ prices }: Context<"prices">): Promise<RefreshResult> {
  const result = await prices.refresh()
  if (result.status === "off") throw new CommandError("pricing.remote_url is empty: there is nothing to fetch")
  if (result.status === "failed") {
    throw new CommandError(`the price list could not be fetched: ${result.reason}; prices stay as they are`)
  }
  return { status: result.status, updated_at: result.day, models: result.models }
}
