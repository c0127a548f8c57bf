import type { Filters, Period, RollupState } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { toLocalOrigin } from "../gateway-client.ts"
import { findUnknownValue, type UnknownValue } from "./unknown-value.ts"

/** Why a report has no requests. Times are ms since the epoch. */
export type EmptyReason =
  | { readonly kind: "future" }
  /** There are requests, but none that the question includes. */
  | { readonly kind: "excluded"; readonly newest: number }
  /** A filter has a value that no request has. */
  | (UnknownValue & { readonly kind: "unknown" })
  /** All requests were pruned; the totals of the time before remain. */
  | { readonly kind: "pruned"; readonly before: number }
  /** `gateway` is the origin of the gateway of the settings, to which the first request may go. */
  | { readonly kind: "no requests"; readonly gateway: string }

interface Found {
  readonly requests: number
  readonly question: { readonly filters: Filters; readonly period: Period }
  readonly rollups: Pick<RollupState, "newest" | "prunedBefore">
}

/** Returns the field `empty` of a report: why it has no requests. A report that has some does not have the field. */
export async function toEmptyField(
  context: Context<"database" | "settings" | "now">,
  { requests, question, rollups: { newest, prunedBefore } }: Found,
): Promise<{ readonly empty?: EmptyReason }> {
  if (requests > 0) return {}
  if (question.period.since > context.now()) return { empty: { kind: "future" } }
  const unknown = newest === undefined ? undefined : await findUnknownValue(context, question)
  if (unknown !== undefined) return { empty: { kind: "unknown", ...unknown } }
  if (newest !== undefined) return { empty: { kind: "excluded", newest } }
  if (prunedBefore !== undefined) return { empty: { kind: "pruned", before: prunedBefore } }
  return { empty: { kind: "no requests", gateway: toLocalOrigin(context.settings.server) } }
}
