import { type Decimal, formatDecimal, fromNumber } from "../core/decimal.ts"
import type { BillLine } from "../core/reconciliation.ts"

/** What tells the requests of one line from those of another. */
export type LineGroup = Pick<BillLine, "day" | "model" | "tier" | "key" | "project">
export type LineKey = LineGroup & Pick<BillLine, "bucket" | "item">

export interface Amounts {
  readonly quantity?: Decimal | undefined
  readonly listCost?: Decimal | undefined
  readonly cost?: Decimal | undefined
}

interface Sum extends Amounts {
  readonly key: LineKey
}

/** Adds up the rows of reports to one line for each day, model, tier, API key, project, bucket and item. */
export class LineTable {
  private readonly sums = new Map<string, Sum>()
  private readonly requests = new Map<string, Decimal>()

  add(key: LineKey, amounts: Amounts): void {
    const id = JSON.stringify([...groupParts(key), key.bucket, key.item])
    const sum = this.sums.get(id)
    this.sums.set(id, {
      key,
      quantity: plus(sum?.quantity, amounts.quantity),
      listCost: plus(sum?.listCost, amounts.listCost),
      cost: plus(sum?.cost, amounts.cost),
    })
  }

  /** The number of lines. */
  get size(): number {
    return this.sums.size
  }

  addRequests(group: LineGroup, requests: Decimal): void {
    const id = JSON.stringify(groupParts(group))
    this.requests.set(id, (this.requests.get(id) ?? 0n) + requests)
  }

  /** Returns the lines, ordered by day. The first line of each group that has a quantity carries its requests. */
  toLines(): BillLine[] {
    const untold = new Map(this.requests)
    const ordered = [...this.sums].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return ordered.map(([, { key, quantity, listCost, cost }]) => {
      const group = JSON.stringify(groupParts(key))
      const requests = quantity === undefined ? undefined : untold.get(group)
      if (requests !== undefined) untold.delete(group)
      return {
        ...key,
        requests: requests === undefined ? undefined : Number(requests / ONE),
        quantity: toText(quantity),
        listCost: toText(listCost),
        cost: toText(cost),
      }
    })
  }
}

const ONE = fromNumber(1)

function groupParts({ day, model, tier, key, project }: LineGroup): readonly (string | undefined)[] {
  return [day, model, tier, key, project]
}

function plus(a: Decimal | undefined, b: Decimal | undefined): Decimal | undefined {
  if (a === undefined) return b
  return b === undefined ? a : a + b
}

function toText(value: Decimal | undefined): string | undefined {
  return value === undefined ? undefined : formatDecimal(value)
}
