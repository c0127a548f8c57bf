import { listConfigured } from "../../config/billing-credentials.ts"
import type { DigestFacts } from "../../core/notification.ts"
import { findFirstRecordedDay, listReconciliations } from "../../database/reconciliations.ts"
import type { Value } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { describeExpiring } from "../keys/expiring.ts"
import { findExhaustedLimits } from "../limits/exhausted.ts"
import { findPendingRows } from "../usage/pending-rows.ts"
import { toValue } from "./names.ts"

interface AttentionInput extends Pick<DigestFacts, "requests" | "previous_requests" | "errors" | "reconciliations"> {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly previous_errors: number
  /** The requests of the period that have no row. */
  readonly dropped: number
  readonly unpriced: readonly UnpricedGroup[]
}

interface UnpricedGroup {
  readonly provider: Value | undefined
  readonly model: Value | undefined
  readonly requests: number
}

const MAX_NAMED = 3
/** A busy gateway always has some rows that are on their way. */
const MANY_PENDING = 1000

/** Lists what needs attention, the gravest first: whole sentences, each with what to do. */
export async function listAttention(
  context: Context<"database" | "settings">,
  input: AttentionInput,
): Promise<readonly string[]> {
  const { database } = context
  const exhausted = await findExhaustedLimits({ database, now: () => input.now })
  const expiring = await describeExpiring(database, input.now)
  const pending = await findPendingRows(context)
  return [
    ...describeDropped(input.dropped),
    ...(pending < MANY_PENDING
      ? []
      : [`${pending} rows wait for the database, so the newest requests are missing: see majordomo-gateway doctor.`]),
    ...describeUnpriced(input.unpriced),
    ...exhausted.map((text) => `${capitalize(text)}: see limits list.`),
    ...describeErrors(input),
    ...input.reconciliations.filter((each) => !each.is_within_tolerance).map(describeDifference),
    ...(await listNeverCompared(context)),
    ...(expiring === undefined
      ? []
      : [`${expiring}: extend them with majordomo-gateway keys update ID --expires 90d.`]),
  ]
}

function describeDropped(dropped: number): string[] {
  if (dropped === 0) return []
  const were = dropped === 1 ? "1 request has no row" : `${dropped} requests have no row`
  return [`${were}, because it could not be kept, so the cost is more: see majordomo-gateway verify.`]
}

function describeUnpriced(groups: readonly UnpricedGroup[]): string[] {
  if (groups.length === 0) return []
  const sorted = groups.toSorted((a, b) => b.requests - a.requests)
  const count = sorted.reduce((sum, { requests }) => sum + requests, 0)
  const named = sorted.slice(0, MAX_NAMED).map(({ provider, model }) => `${toValue(model)} (${toValue(provider)})`)
  const more = sorted.length > MAX_NAMED ? [`${sorted.length - MAX_NAMED} more models`] : []
  const have = count === 1 ? "1 request has" : `${count} requests have`
  return [
    `${have} no known price: ${[...named, ...more].join(", ")}. Set prices with majordomo-gateway pricing set, then run pricing reprice.`,
  ]
}

/** Errors are a part of every day. More than a twentieth, and twice as many as before, are not. */
function describeErrors({ requests, errors, previous_requests, previous_errors }: AttentionInput): string[] {
  const rate = requests === 0 ? 0 : errors / requests
  const before = previous_requests === 0 ? 0 : previous_errors / previous_requests
  if (errors < 20 || rate < 0.05 || rate < 2 * before) return []
  const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`
  return [`${percent(rate)} of the requests failed (before: ${percent(before)}): see majordomo-gateway usage errors.`]
}

function describeDifference({ provider }: DigestFacts["reconciliations"][number]): string {
  return `The bill of ${provider} differs from the records by more than is tolerated: see majordomo-gateway reconcile.`
}

/** A credential that is set and never used hides that the daily comparison does not work. */
async function listNeverCompared({ database, settings }: Context<"database" | "settings">): Promise<string[]> {
  const sentences: string[] = []
  for (const provider of listConfigured(settings)) {
    const stored = await listReconciliations(database.query, { provider, since: "2000-01-01", until: "9999-12-31" })
    if (stored.length > 0 || (await findFirstRecordedDay(database.query, provider)) === undefined) continue
    sentences.push(
      `The bill of ${provider} was never compared, although its credential is set: run majordomo-gateway reconcile --provider ${provider}, which says why.`,
    )
  }
  return sentences
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
