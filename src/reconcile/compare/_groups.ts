import { type Decimal, parseDecimal } from "../../core/decimal.ts"
import type { Bill, BillLine, Bucket, RecordedGroup, RecordedSide } from "../../core/reconciliation.ts"
import { getOrSet } from "./_map.ts"
import { ANY_TIER, FEES, isForTokens, type Names } from "./_names.ts"
import { type Owners, SHARED } from "./_owners.ts"
import type { Cell, CostLine, Entry, Group } from "./_shapes.ts"

/** Both sides in groups, and the lines of the bill that have a cost. */
export interface Groups {
  readonly all: Map<string, Group>
  readonly costs: readonly CostLine[]
  /** The days for which the bill has tokens. */
  readonly daysWithUsage: ReadonlySet<string>
  /** Returns whether the bill reports the tokens of a day, which can be none. */
  reportsUsage(day: string): boolean
  find(day: string, model: string, tier: string, owner: string): Group
}

export function createGroups(bill: Bill, recorded: RecordedSide, names: Names, owners: Owners): Groups {
  const all = new Map<string, Group>()
  const find: Groups["find"] = (day, model, tier, owner) =>
    getOrSet(all, JSON.stringify([day, model, tier, owner]), () => ({
      ...{ day, model, tier, owner, cells: new Map(), projects: new Set<string>() },
      ...{ billedRequests: undefined, requests: [] },
    }))
  const daysWithUsage = new Set<string>()
  const costs: CostLine[] = []
  for (const line of bill.lines) {
    if (line.cost !== undefined || line.listCost !== undefined) costs.push(toCostLine(line, names, owners))
    if (!isForTokens(line) || line.model === undefined) continue
    if (line.quantity === undefined && line.requests === undefined) continue
    const model = names.model(line.model)
    const group = find(line.day, model, names.tier(model, line.tier), owners.ofBill(line) ?? SHARED)
    addBilled(group, line, names.bucket(model, line.bucket))
    if (line.quantity !== undefined) daysWithUsage.add(line.day)
  }
  const groupOf = ({ day, model: name, tier, credential }: RecordedGroup) => {
    const model = names.model(name)
    return find(day, model, names.tier(model, tier), owners.ofRecords(credential))
  }
  for (const line of recorded.lines) {
    const group = groupOf(line)
    const entry = { line, quantity: parseDecimal(line.quantity), cost: parseDecimal(line.cost ?? "0") }
    cellOf(group, names.bucket(group.model, line.bucket)).entries.push(entry)
  }
  for (const each of recorded.requests) {
    groupOf(each).requests.push({ kind: each.kind, began: each.began, count: each.requests })
  }
  const daysWithCosts = new Set(costs.filter(isForTokens).map(({ line }) => line.day))
  // Without usage, a day with costs is one for which the bill says no tokens, and a day without costs is one without requests.
  const reportsUsage = (day: string) => daysWithUsage.has(day) || (daysWithUsage.size > 0 && !daysWithCosts.has(day))
  return { all, costs, daysWithUsage, reportsUsage, find }
}

export function cellOf(group: Group, bucket: Bucket): Cell {
  return getOrSet(group.cells, bucket, () => ({ group, bucket, billed: 0n, isReported: false, entries: [] }))
}

/** Returns the number of recorded requests of some kinds. */
export function countRequests({ requests }: Group, kinds: ReadonlySet<RecordedGroup["kind"]>): number {
  return requests.reduce((sum, { kind, count }) => (kinds.has(kind) ? sum + count : sum), 0)
}

function addBilled(group: Group, { quantity, requests, project }: BillLine, bucket: Bucket): void {
  if (quantity !== undefined) {
    const cell = cellOf(group, bucket)
    cell.billed += parseDecimal(quantity)
    cell.isReported = true
  }
  if (requests !== undefined) group.billedRequests = (group.billedRequests ?? 0) + requests
  if (project !== undefined) group.projects.add(project)
}

function toCostLine(line: BillLine, names: Names, owners: Owners): CostLine {
  const isFee = FEES.has(line.bucket)
  const model = line.model === undefined || isFee ? undefined : names.model(line.model)
  const tier = model === undefined || line.tier === undefined ? undefined : names.tier(model, line.tier)
  return {
    line,
    model,
    tier: tier === ANY_TIER ? undefined : tier,
    bucket: model === undefined ? line.bucket : names.bucket(model, line.bucket),
    owner: owners.ofBill(line),
    cost: parseDecimal(line.cost ?? line.listCost ?? "0"),
    list: line.listCost === undefined ? undefined : parseDecimal(line.listCost),
  }
}

/** Returns the quantity of entries. */
export function quantityOf(entries: readonly Entry[]): Decimal {
  return entries.reduce((sum, { quantity }) => sum + quantity, 0n)
}
