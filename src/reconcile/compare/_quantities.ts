import type { Decimal } from "../../core/decimal.ts"
import type { RecordedKind } from "../../core/reconciliation.ts"
import { countRequests, type Groups, quantityOf } from "./_groups.ts"
import { getOrSet } from "./_map.ts"
import { FEES, withoutDate } from "./_names.ts"
import type { Cell, Finding, Group } from "./_shapes.ts"

/** A difference between the billed and the recorded tokens of a cell, with its cause. */
export interface TokenDifference {
  readonly cell: Cell
  /** Billed minus recorded. */
  readonly quantity: Decimal
  readonly cause: Finding["cause"]
  readonly why: Finding["why"]
  readonly requests: number | undefined
}

/** Finds the causes of the differences between billed and recorded tokens, on the days for which the bill reports tokens. */
export function findTokenDifferences({ all, reportsUsage }: Groups): ReadonlyMap<Cell, TokenDifference> {
  const found = new Map<Cell, TokenDifference>()
  const unmetered = countUnmetered(all.values())
  for (const group of all.values()) {
    if (!reportsUsage(group.day)) continue
    const counts = toCounts(group, unmetered)
    for (const cell of group.cells.values()) {
      const quantity = cell.billed - quantityOf(cell.entries)
      if (quantity === 0n || FEES.has(cell.bucket)) continue
      found.set(cell, { cell, quantity, ...(quantity > 0n ? explainMore(counts) : explainLess(counts)) })
    }
  }
  return found
}

interface Counts {
  readonly hasRecords: boolean
  readonly isBilled: boolean
  readonly billed: number | undefined
  readonly metered: number
  readonly estimated: number
  readonly unmetered: number
  /** The kind of most of the unmetered requests. */
  readonly kind: Exclude<RecordedKind, "metered" | "estimated">
  /** Batches that were not fetched, so that neither their model nor their requests are known. */
  readonly hasPendingBatch: boolean
}

type Explained = Pick<TokenDifference, "cause" | "why" | "requests">

/** Explains tokens that only the bill has. The order is that of the causes. */
function explainMore(counts: Counts): Explained {
  const { hasRecords, billed, metered, estimated, unmetered, kind } = counts
  if (!hasRecords) {
    if (counts.hasPendingBatch) return { cause: "unmetered", why: "pending", requests: billed }
    return { cause: "outside", why: "outside", requests: billed }
  }
  const more = billed === undefined ? undefined : billed - metered - estimated
  if (more !== undefined && more > unmetered) return { cause: "outside", why: "outside", requests: more - unmetered }
  if (unmetered > 0 && (more === undefined || more > 0)) {
    return { cause: "unmetered", why: kind, requests: more ?? unmetered }
  }
  if (estimated > 0) return { cause: "estimated", why: "estimated", requests: estimated }
  if (billed === undefined) return { cause: "outside", why: "outside", requests: undefined }
  return { cause: "tokens", why: "tokens", requests: billed }
}

/** Explains tokens that only the records have. */
function explainLess({ billed, isBilled, metered, estimated }: Counts): Explained {
  if (estimated > 0) return { cause: "estimated", why: "estimated", requests: estimated }
  if (!isBilled || (billed !== undefined && billed < metered)) {
    return { cause: "unexplained", why: "missing", requests: metered - (billed ?? 0) }
  }
  return { cause: "tokens", why: "tokens", requests: billed }
}

function toCounts(group: Group, unmetered: ReadonlyMap<string, readonly Unmetered[]>): Counts {
  const undated = withoutDate(group.model)
  // A request without an answer has the name that the client wrote, which often has no date. If it ran across midnight, it
  // can be billed on any day from its begin to its end.
  const here = (unmetered.get(seriesOf(group)) ?? []).filter(
    ({ day, began, model }) => began <= group.day && group.day <= day && (model === group.model || model === undated),
  )
  const most = here.toSorted((a, b) => b.count - a.count)[0]
  const cells = [...group.cells.values()]
  return {
    hasRecords: here.length > 0 || cells.some(({ entries }) => entries.length > 0) || group.requests.length > 0,
    isBilled: cells.some(({ billed }) => billed > 0n),
    billed: group.billedRequests,
    metered: countRequests(group, METERED),
    estimated: countRequests(group, ESTIMATED),
    unmetered: here.reduce((sum, { count }) => sum + count, 0),
    kind: most?.kind ?? "unreported",
    hasPendingBatch: group.tier === "batch" && (unmetered.get(PENDING) ?? []).some(({ began }) => began <= group.day),
  }
}

const METERED = new Set(["metered"] as const)
const ESTIMATED = new Set(["estimated"] as const)

interface Unmetered {
  readonly day: string
  readonly began: string
  readonly model: string
  readonly kind: Counts["kind"]
  readonly count: number
}

const PENDING = "pending"

/** Lists the requests without usage by owner, model and tier. The tier of such a request is not known, so it has none. */
function countUnmetered(groups: Iterable<Group>): ReadonlyMap<string, readonly Unmetered[]> {
  const found = new Map<string, Unmetered[]>()
  for (const group of groups) {
    for (const { kind, began, count } of group.requests) {
      if (kind === "metered" || kind === "estimated") continue
      const each = { day: group.day, began, model: group.model, kind, count }
      getOrSet(found, seriesOf(group), () => []).push(each)
      if (kind === "pending") getOrSet(found, PENDING, () => []).push(each)
    }
  }
  return found
}

function seriesOf({ owner, model, tier }: Group): string {
  return JSON.stringify([owner, withoutDate(model), tier])
}
