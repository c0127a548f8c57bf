import type { Decimal } from "../../core/decimal.ts"
import type { Groups } from "./_groups.ts"
import { getOrSet } from "./_map.ts"
import { FEES } from "./_names.ts"
import { isWithin } from "./_price.ts"
import type { Cell, CostLine, Finding } from "./_shapes.ts"
import { atListPrice, chargedBy, hasRecords, listedBy, recordedIn } from "./_sums.ts"

/** Fees of one bucket on one day. Those of an owner that the gateway does not know are apart. */
interface Fees {
  readonly day: string
  readonly bucket: Cell["bucket"]
  readonly isForeign: boolean
  readonly costs: CostLine[]
  readonly cells: Cell[]
}

/** Compares fees in money, by day and bucket, because bills and records count their pieces differently. */
export function explainFees(groups: Groups, isInside: (day: string) => boolean, rounding: Decimal): Finding[] {
  return collectFees(groups)
    .filter(({ day }) => isInside(day))
    .flatMap((fees) => explainOne(fees, rounding))
}

function collectFees({ all, costs }: Groups): readonly Fees[] {
  const known = new Set([...all.values()].filter(hasRecords).map(({ owner }) => owner))
  const fees = new Map<string, Fees>()
  const find = (day: string, bucket: Cell["bucket"], foreign?: string) =>
    getOrSet(fees, JSON.stringify([day, bucket, foreign]), () => {
      return { day, bucket, isForeign: foreign !== undefined, costs: [], cells: [] }
    })
  for (const cost of costs) {
    if (!FEES.has(cost.bucket)) continue
    const isForeign = Boolean(cost.owner) && !known.has(cost.owner!)
    find(cost.line.day, cost.bucket, isForeign ? cost.owner : undefined).costs.push(cost)
  }
  for (const { day, cells } of all.values()) {
    for (const cell of cells.values()) if (FEES.has(cell.bucket)) find(day, cell.bucket).cells.push(cell)
  }
  return [...fees.values()]
}

function explainOne({ day, bucket, isForeign, costs, cells }: Fees, rounding: Decimal): Finding[] {
  const charged = chargedBy(costs)
  const recorded = recordedIn(cells)
  // The recorded prices can contain the discount.
  const isAtCharge = isWithin(charged - recorded, rounding * BigInt(costs.length))
  const billed = isAtCharge ? charged : listedBy(costs)
  const atList = cells.map(({ entries }) => ({ entries: isAtCharge ? entries : entries.map(atListPrice) }))
  const difference = billed - recordedIn(atList)
  const discount = charged - recorded - difference
  const items = [...new Set(costs.map(({ line }) => line.item))].filter((item) => item !== undefined)
  const names = { day, bucket, item: items.length > 0 ? items.join(", ") : undefined }
  const owner = isForeign ? { owner: costs[0]?.owner, project: costs[0]?.line.project } : {}
  const findings: Finding[] = []
  if (difference !== 0n && isForeign) {
    findings.push({ ...names, ...owner, cause: "outside", why: "outside", amount: difference })
  } else if (difference !== 0n) findings.push({ ...names, cause: "fees", why: "fees", amount: difference })
  if (discount !== 0n) findings.push({ ...names, cause: "discount", why: "discount", amount: discount })
  return findings
}
