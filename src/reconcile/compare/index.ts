import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { Bill, ReconciledDay, Reconciliation, RecordedSide } from "../../core/reconciliation.ts"
import { addUpCauses, toCauses } from "./_causes.ts"
import { explain } from "./_explain.ts"
import { createGroups } from "./_groups.ts"
import { moveAcrossMidnight } from "./_midnight.ts"
import { createNames } from "./_names.ts"
import { matchOwners } from "./_owners.ts"
import type { Finding } from "./_shapes.ts"
import { recordedIn } from "./_sums.ts"

interface CompareOptions {
  /** Days that end later may still be added to by the provider. */
  readonly settledBefore: Date
  /** The alias of a credential by the provider's id of its API key. */
  readonly keys: ReadonlyMap<string, string>
}

export { addUpCauses } from "./_causes.ts"

/**
 * Compares a bill with what the gateway recorded, and finds the causes of the difference. On each day and in total,
 * `billed - recorded` is the sum of the amounts of the causes, to the last digit.
 */
export function compareBills(bill: Bill, recorded: RecordedSide, options: CompareOptions): Reconciliation {
  const isInside = (day: string) => day >= bill.since && day < bill.until
  const names = createNames(bill, recorded)
  const owners = matchOwners(bill.lines, recorded.lines, { keys: options.keys, names })
  const groups = createGroups(bill, recorded, names, owners)
  const isMoved = moveAcrossMidnight(groups, isInside)
  const recordedBy = new Map<string, bigint>()
  for (const { day, cells } of groups.all.values()) {
    if (isInside(day)) recordedBy.set(day, (recordedBy.get(day) ?? 0n) + recordedIn(cells.values()))
  }
  const { findings, billed, valuedDays } = explain(bill, groups, isInside)
  const context = { provider: bill.provider }
  const days = listDays(bill).map((day): ReconciledDay => {
    const [own, charged] = [recordedBy.get(day) ?? 0n, billed.get(day) ?? 0n]
    const found = findings.filter((finding) => finding.day === day)
    return {
      day,
      billed: formatDecimal(charged),
      recorded: formatDecimal(own),
      settling: endOf(day) > options.settledBefore.getTime(),
      causes: toCauses(completed(found, charged - own, day), context),
    }
  })
  return {
    provider: bill.provider,
    account: bill.account,
    since: bill.since,
    until: bill.until,
    source: bill.source,
    fetchedAt: bill.fetchedAt,
    billed: addUp(days, "billed"),
    recorded: addUp(days, "recorded"),
    settling: days.some(({ settling }) => settling),
    causes: addUpCauses(
      days.flatMap(({ causes }) => causes),
      context,
    ),
    days,
    notes: [...bill.notes, ...listNotes(isMoved, valuedDays)],
  }
}

function addUp(days: readonly ReconciledDay[], side: "billed" | "recorded"): string {
  return formatDecimal(days.reduce((total, day) => total + parseDecimal(day[side]), 0n))
}

const DAY_MS = 86_400_000

function listDays({ since, until }: Bill): string[] {
  const days: string[] = []
  for (let at = Date.parse(since); at < Date.parse(until); at += DAY_MS) {
    days.push(new Date(at).toISOString().slice(0, 10))
  }
  return days
}

function endOf(day: string): number {
  return Date.parse(day) + DAY_MS
}

/** Adds what the findings of a day leave open, so that they always add up to its difference. */
function completed(findings: readonly Finding[], difference: bigint, day: string): readonly Finding[] {
  const rest = difference - findings.reduce((sum, { amount }) => sum + amount, 0n)
  return rest === 0n ? findings : [...findings, { cause: "unexplained", why: "rounding", day, amount: rest }]
}

function listNotes(isMoved: boolean, valuedDays: ReadonlySet<string>): string[] {
  const notes: string[] = []
  if (isMoved) notes.push("Requests across midnight (UTC) are counted on the day on which the provider counts them.")
  if (valuedDays.size > 0) {
    const days = [...valuedDays].sort().join(", ")
    notes.push(`The bill has no costs for ${days}, so its tokens are valued at the recorded rates.`)
  }
  return notes
}
