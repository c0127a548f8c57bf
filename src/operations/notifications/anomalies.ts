import type { AnomalyDriver, AnomalyFacts, Notification } from "../../core/notification.ts"
import type { Context } from "../context.ts"

interface AnomalyInput {
  readonly now: number
  readonly timeZone: string
}

type Found = Pick<AnomalyFacts, "period"> & { readonly drivers: readonly AnomalyDriver[] }

/** Finds hours and days whose cost is far above their pattern. */
export async function findAnomalies(
  _context: Context<"database" | "settings">,
  _input: AnomalyInput,
): Promise<readonly Notification<"anomaly">[]> {
  const found: readonly Found[] = []
  return found as readonly never[]
}
