import { askRequests, type Period } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { toLocalOrigin } from "../gateway-client.ts"
import { readRollups } from "./asker.ts"

/** Why a report has no requests. Times are ms since the epoch. */
export type EmptyReason =
  | { readonly kind: "future"; readonly now: number }
  /** There are requests, but none that the question includes. */
  | { readonly kind: "excluded"; readonly newest: number }
  /** All requests were pruned; the totals of the time before remain. */
  | { readonly kind: "pruned"; readonly before: number }
  /** `gateway` is the origin of the gateway of the settings, to which the first request may go. */
  | { readonly kind: "no requests"; readonly gateway: string }

/** Finds out why a report about a period has no requests. */
export async function explainEmpty(
  { database, settings, now }: Context<"database" | "settings" | "now">,
  period: Pick<Period, "since">,
): Promise<EmptyReason> {
  const asked = now()
  if (period.since > asked) return { kind: "future", now: asked }
  const { rows } = await database.query<{ created_at: Date }>(askRequests({ filters: {}, limit: 1 }))
  const newest = rows[0]?.created_at
  if (newest !== undefined) return { kind: "excluded", newest: new Date(newest).getTime() }
  const { prunedBefore } = await readRollups(database.query)
  return prunedBefore === undefined
    ? { kind: "no requests", gateway: toLocalOrigin(settings.server) }
    : { kind: "pruned", before: prunedBefore }
}
