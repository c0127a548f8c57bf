import { type Decimal, parseDecimal } from "../../core/decimal.ts"
import type { Bill } from "../../core/reconciliation.ts"
import { type Component, toComponents } from "./_components.ts"
import { explainFees } from "./_fees.ts"
import type { Groups } from "./_groups.ts"
import { getOrSet } from "./_map.ts"
import { explainMoney, type FindRate, isExplainedByTokens } from "./_money.ts"
import { ADJUSTMENTS, isForTokens } from "./_names.ts"
import { singleRateOf } from "./_price.ts"
import { findTokenDifferences, type TokenDifference } from "./_quantities.ts"
import { roundingOf } from "./_rate.ts"
import type { Cell, CostLine, Entry, Finding } from "./_shapes.ts"
import { atListPrice, chargedBy, hasRecords, listedBy, recordedIn } from "./_sums.ts"

/** The causes of a bill's differences, and what it charges on each day. */
export interface Explained {
  readonly findings: readonly Finding[]
  readonly billed: ReadonlyMap<string, Decimal>
  /** Days whose usage the bill reports without any cost, so that its tokens were valued at the recorded rates. */
  readonly valuedDays: ReadonlySet<string>
}

export function explain(bill: Bill, groups: Groups, isInside: (day: string) => boolean): Explained {
  const differences = findTokenDifferences(groups)
  const rounding = findRounding(bill)
  const findRate = createFindRate(groups)
  const daysWithCosts = new Set(groups.costs.filter(isForTokens).map(({ line }) => line.day))
  const findings: Finding[] = []
  const billed = new Map<string, Decimal>()
  const valuedDays = new Set<string>()
  const charge = (day: string, amount: Decimal) => billed.set(day, (billed.get(day) ?? 0n) + amount)
  for (const component of toComponents(groups)) {
    const { day, cells, costs } = component
    if (!isInside(day)) continue
    const own = cells.map((cell) => differences.get(cell)).filter((each) => each !== undefined)
    const context = { differences: own, findRate, rounding }
    if (!daysWithCosts.has(day) && groups.daysWithUsage.has(day)) {
      const valued = explainMoney(component, { billed: 0n, recorded: 0n, rounding: HUGE }, context)
      findings.push(...valued)
      charge(day, recordedIn(cells) + sumOf(valued))
      valuedDays.add(day)
      continue
    }
    charge(day, chargedBy(costs))
    findings.push(...(cells.length > 0 ? explainComponent(component, context) : explainAlone(component, groups)))
  }
  for (const finding of explainFees(groups, isInside, rounding)) findings.push(finding)
  for (const cost of groups.costs) {
    if (!isInside(cost.line.day)) continue
    if (!isForTokens(cost)) charge(cost.line.day, cost.cost)
    if (ADJUSTMENTS.has(cost.bucket)) findings.push(adjustmentOf(cost))
  }
  return { findings, billed, valuedDays }
}

/** More than any amount, so that all differences of tokens are valued at the recorded rates. */
const HUGE = parseDecimal("1000000000000")
/** Rows are rounded to 12 digits; the sum of a component can be off by half of that for each request. */
const ROW_ROUNDING = parseDecimal("0.0000000000005")

function findRounding({ lines, source }: Bill): Decimal {
  const amounts = lines.flatMap(({ cost, listCost }) => [cost, listCost]).filter((each) => each !== undefined)
  return roundingOf(amounts, source === "import" ? 2 : 4)
}

interface Context {
  readonly differences: readonly TokenDifference[]
  readonly findRate: FindRate
  readonly rounding: Decimal
}

/** Explains a component, and its discounts where the bill says list prices. */
function explainComponent(component: Component, context: Context): Finding[] {
  const { cells, costs, day } = component
  const charged = chargedBy(costs)
  const list = listedBy(costs)
  const rows = cells.reduce((sum, { group }) => sum + group.requests.reduce((all, { count }) => all + count, 1), 0)
  const rounding = context.rounding * BigInt(costs.length) + ROW_ROUNDING * BigInt(Math.max(rows, 1))
  const recorded = recordedIn(cells)
  const atCharge = { billed: charged, recorded, rounding }
  // The recorded prices can contain the discount. Then they are compared with what the provider charges.
  if (list === charged || isExplainedByTokens(component, atCharge, context)) {
    return withRounding(explainMoney(component, atCharge, context), day, charged - recorded, cells)
  }
  for (const cell of cells) cell.entries = cell.entries.map(atListPrice)
  const recordedList = recordedIn(cells)
  const atList = explainMoney(component, { billed: list, recorded: recordedList, rounding }, context)
  const discount = charged - list - (recorded - recordedList)
  return [
    ...withRounding(atList, day, list - recordedList, cells),
    ...(discount === 0n ? [] : [discountOf(component, discount)]),
  ]
}

function discountOf({ cells, costs, day }: Component, amount: Decimal): Finding {
  const models = new Set(cells.map(({ group }) => group.model))
  const [cost] = costs
  return {
    ...{ cause: "discount", why: "discount", day, amount },
    model: models.size === 1 ? [...models][0] : undefined,
    project: cost?.line.project,
  }
}

/** Adds what is left of an amount after its findings. */
function withRounding(findings: readonly Finding[], day: string, amount: Decimal, cells: readonly Cell[]): Finding[] {
  const rest = amount - sumOf(findings)
  if (rest === 0n) return [...findings]
  const models = new Set(cells.map(({ group }) => group.model))
  const model = models.size === 1 ? [...models][0] : undefined
  return [...findings, { cause: "unexplained", why: "rounding", day, amount: rest, model }]
}

/** Explains costs of models or owners of which neither the usage of the bill nor the records know anything. */
function explainAlone({ day, costs }: Component, { all }: Groups): Finding[] {
  const [first] = costs
  if (first === undefined) return []
  const { model, tier, bucket, owner, line } = first
  const amount = chargedBy(costs)
  const isForeign =
    owner !== undefined && ![...all.values()].some((group) => group.owner === owner && hasRecords(group))
  const isItem = model === undefined && bucket === "other" && !isForeign
  const names = { day, model, tier, bucket, owner: owner || undefined, project: line.project, item: line.item }
  const cause = isItem
    ? ({ cause: "unexplained", why: "item" } as const)
    : ({ cause: "outside", why: "outside" } as const)
  const list = listedBy(costs)
  const found: Finding[] = [{ ...names, ...cause, amount: list, bucket: costs.length === 1 ? bucket : undefined }]
  if (list !== amount) found.push({ ...names, cause: "discount", why: "discount", amount: amount - list })
  return found
}

/** Remembers the rates of buckets of models that have only one. */
function createFindRate({ all }: Groups): FindRate {
  const entries = new Map<string, Entry[]>()
  const idOf = ({ group, bucket }: Cell) => JSON.stringify([group.model, group.tier, bucket])
  for (const { cells } of all.values()) {
    for (const cell of cells.values()) getOrSet(entries, idOf(cell), () => []).push(...cell.entries)
  }
  const rates = new Map([...entries].map(([id, found]) => [id, singleRateOf(found)]))
  return (cell) => rates.get(idOf(cell))
}

function sumOf(findings: readonly Finding[]): Decimal {
  return findings.reduce((sum, { amount }) => sum + amount, 0n)
}

function adjustmentOf({ line, cost, bucket }: CostLine): Finding {
  const why = bucket === "tax" ? "tax" : "credit"
  return { cause: "discount", why, day: line.day, amount: cost, bucket, item: line.item, project: line.project }
}
