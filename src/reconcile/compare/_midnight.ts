import type { Decimal } from "../../core/decimal.ts"
import { divide, multiply, toMoney } from "../../core/decimal.ts"
import type { Bucket } from "../../core/reconciliation.ts"
import { cellOf, countRequests, type Groups, quantityOf } from "./_groups.ts"
import { getOrSet } from "./_map.ts"
import { FEES } from "./_names.ts"
import type { Entry, Group } from "./_shapes.ts"

/**
 * Moves recorded requests to the day in which the provider counts them. A request that ran across midnight can be counted
 * in any day from its begin to its end, and a batch on the day on which it was completed, before its results were fetched.
 *
 * First, the requests that began on an earlier day are moved as a whole where that leaves fewer differences. Then, tokens
 * that are missing on one day and left over on the next one, exactly, are moved with their cost.
 *
 * @returns true if anything was moved
 */
export function moveAcrossMidnight(groups: Groups, isInside: (day: string) => boolean): boolean {
  let isMoved = false
  for (const series of toSeries(groups)) {
    const days = { isInside, groupOn: (day: string) => groups.find(day, series.model, series.tier, series.owner) }
    for (const span of series.spans) if (moveSpan(span, days, groups)) isMoved = true
    if (moveLeftovers(series, days, groups)) isMoved = true
  }
  return isMoved
}

interface Days {
  readonly isInside: (day: string) => boolean
  readonly groupOn: (day: string) => Group
}

/** The groups of one owner, model and tier on all days. */
interface Series extends Pick<Group, "model" | "tier" | "owner"> {
  readonly days: string[]
  /** The days between which requests ran. */
  readonly spans: { readonly began: string; readonly ended: string }[]
}

function toSeries({ all }: Groups): readonly Series[] {
  const found = new Map<string, Series>()
  for (const { model, tier, owner, day, cells } of all.values()) {
    const id = JSON.stringify([model, tier, owner])
    const series = getOrSet(found, id, () => ({ model, tier, owner, days: [], spans: [] }))
    series.days.push(day)
    const begins = new Set([...cells.values()].flatMap(({ entries }) => entries.map(({ line }) => line.began)))
    for (const began of begins) if (began < day) series.spans.push({ began, ended: day })
  }
  for (const { days, spans } of found.values()) {
    days.sort()
    spans.sort((a, b) => (a.ended < b.ended ? -1 : 1))
  }
  return [...found.values()]
}

/** Moves the requests of a span to the day on which they leave the fewest differences. */
function moveSpan({ began, ended }: Series["spans"][number], { isInside, groupOn }: Days, groups: Groups): boolean {
  if (!groups.reportsUsage(began) && !groups.reportsUsage(ended)) return false
  const from = groupOn(ended)
  const isOf = ({ line }: Entry) => line.began === began
  const moved = [...from.cells.values()].map((cell) => ({ bucket: cell.bucket, entries: cell.entries.filter(isOf) }))
  let best = { day: ended, misses: Number.POSITIVE_INFINITY }
  for (const day of daysBetween(began, ended).reverse()) {
    const to = groupOn(day)
    const shift = new Map(moved.map(({ bucket, entries }) => [bucket, quantityOf(entries)]))
    const misses = day === ended ? missesOf([from], isInside) : missesOf([from, to], isInside, { from, to, shift })
    const both = day === ended ? misses : misses - missesOf([to], isInside)
    if (both < best.misses) best = { day, misses: both }
  }
  if (best.day === ended) return false
  const to = groupOn(best.day)
  for (const cell of from.cells.values()) {
    const there = cellOf(to, cell.bucket)
    there.entries.push(...cell.entries.filter(isOf))
    cell.entries = cell.entries.filter((entry) => !isOf(entry))
  }
  const requests = from.requests.filter((each) => each.began === began)
  to.requests.push(...requests)
  from.requests.splice(0, from.requests.length, ...from.requests.filter((each) => each.began !== began))
  return true
}

interface Shift {
  readonly from: Group
  readonly to: Group
  readonly shift: ReadonlyMap<Bucket, Decimal>
}

/** Counts the buckets whose billed and recorded quantities differ, on days of the bill. */
function missesOf(groups: readonly Group[], isInside: (day: string) => boolean, by?: Shift): number {
  let misses = 0
  for (const group of groups) {
    if (!isInside(group.day)) continue
    const buckets = new Set([...group.cells.keys(), ...(by?.shift.keys() ?? [])])
    for (const bucket of buckets) {
      if (FEES.has(bucket)) continue
      const cell = group.cells.get(bucket)
      const shift = by?.shift.get(bucket) ?? 0n
      const recorded =
        (cell === undefined ? 0n : quantityOf(cell.entries)) + (group === by?.to ? shift : -shift * (by ? 1n : 0n))
      if ((cell?.billed ?? 0n) !== recorded) misses++
    }
  }
  return misses
}

const MAX_SPAN_DAYS = 31

function daysBetween(first: string, last: string): string[] {
  const days: string[] = []
  for (let day = last; day >= first && days.length < MAX_SPAN_DAYS; day = dayBefore(day)) days.unshift(day)
  return days
}

function dayBefore(day: string): string {
  return new Date(Date.parse(day) - 86_400_000).toISOString().slice(0, 10)
}

/** Moves tokens that are missing on one day and left over on another, exactly. */
function moveLeftovers(series: Series, { isInside, groupOn }: Days, groups: Groups): boolean {
  let isMoved = false
  const days = series.days.filter((day) => isInside(day) && groups.reportsUsage(day))
  for (const [at, day] of days.entries()) {
    // The results of a batch are recorded when they are fetched, which can be much later.
    const others = series.tier === "batch" ? days.slice(at + 1) : days.slice(at + 1, at + 2)
    for (const other of others) {
      if (series.tier !== "batch" && dayBefore(other) !== day) continue
      const [from, to] = [groupOn(other), groupOn(day)]
      if (moveExact(from, to) || moveExact(to, from)) isMoved = true
    }
  }
  return isMoved
}

/** Moves what is left over in the records of `from` and missing in those of `to`, for each bucket in which both are equal. */
function moveExact(from: Group, to: Group): boolean {
  let isMoved = false
  for (const cell of [...from.cells.values()]) {
    const left = quantityOf(cell.entries) - cell.billed
    const there = to.cells.get(cell.bucket)
    if (FEES.has(cell.bucket) || left <= 0n || there === undefined || there.billed - quantityOf(there.entries) !== left)
      continue
    const { taken, kept } = take(cell.entries, left)
    cell.entries = kept
    there.entries.push(...taken)
    isMoved = true
  }
  if (isMoved) moveRequests(from, to)
  return isMoved
}

/** Splits entries so that `taken` has the quantity. */
function take(entries: readonly Entry[], quantity: Decimal): { readonly taken: Entry[]; readonly kept: Entry[] } {
  const taken: Entry[] = []
  const kept: Entry[] = []
  let open = quantity
  for (const entry of entries) {
    if (entry.quantity <= open) {
      if (entry.quantity > 0n) taken.push(entry)
      else kept.push(entry)
      open -= entry.quantity
      continue
    }
    const cost = open === 0n ? 0n : toMoney(divide(multiply(entry.cost, open), entry.quantity))
    if (open > 0n) taken.push({ line: entry.line, quantity: open, cost })
    kept.push({ line: entry.line, quantity: entry.quantity - open, cost: entry.cost - cost })
    open = 0n
  }
  return { taken, kept }
}

const WITH_USAGE = new Set(["metered", "estimated"] as const)

function moveRequests(from: Group, to: Group): void {
  const left = countRequests(from, WITH_USAGE) - (from.billedRequests ?? 0)
  const missing = (to.billedRequests ?? 0) - countRequests(to, WITH_USAGE)
  const count = Math.min(left, missing)
  if (count <= 0) return
  from.requests.push({ kind: "metered", began: from.day, count: -count })
  to.requests.push({ kind: "metered", began: to.day, count })
}
