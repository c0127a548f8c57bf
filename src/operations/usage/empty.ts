import type { Period, RollupState } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { toLocalOrigin } from "../gateway-client.ts"

/** Why a report has no requests. Times are ms since the epoch. */
export type EmptyReason =
  | { readonly kind: "future" }
  /** There are requests, but none that the question includes. */
  | { readonly kind: "excluded"; readonly newest: number }
  /** All requests were pruned; the totals of the time before remain. */
  | { readonly kind: "pruned"; readonly before: number }
  /** `gateway` is the origin of the gateway of the settings, to which the first request may go. */
  | { readonly kind: "no requests"; readonly gateway: string }

interface Found {
  readonly requests: number
  readonly period: Pick<Period, "since">
  readonly rollups: Pick<RollupState, "newest" | "prunedBefore">
}

/** Returns the field `empty` of a report: why it has no requests. A report that has some does not have the field. */
export function toEmptyField(
  { settings, now }: Context<"settings" | "now">,
  { requests, period, rollups: { newest, prunedBefore } }: Found,
): { readonly empty?: EmptyReason } {
  if (requests > 0) return {}
  if (period.since > now()) return { empty: { kind: "future" } }
  if (newest !== undefined) return { empty: { kind: "excluded", newest } }
  if (prunedBefore !== undefined) return { empty: { kind: "pruned", before: prunedBefore } }
  return { empty: { kind: "no requests", gateway: toLocalOrigin(settings.server) } }
}
