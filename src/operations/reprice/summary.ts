import type { Cost } from "../../core/cost.ts"
import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { RepriceableRow } from "../../database/repricings.ts"

/** The result for the rows of one model. Money is USD as plain decimals. */
export interface RepricedModel {
  readonly provider: string
  readonly model: string
  readonly looked: number
  readonly changed: number
  /**
   * The cost of the changed rows that are on the bill, before and after. A cost that is not known adds nothing. The API
   * values of subscriptions change too, but they are in neither sum.
   */
  readonly before: string
  readonly after: string
  readonly unpriced_before: number
  readonly unpriced_after: number
  /** Why rows still have no price; null if all have one. */
  readonly reason: string | null
}

type Counts = { -readonly [K in keyof RepricedModel]: RepricedModel[K] }

const NOTHING = { looked: 0, changed: 0, before: "0", after: "0", unpriced_before: 0, unpriced_after: 0, reason: null }

/** Creates a summary by provider and model. */
export function createSummary() {
  const models = new Map<string, Counts>()
  return {
    add(row: RepriceableRow, cost: Cost, isChanged: boolean): void {
      const { provider, model } = row
      const key = `${provider}\n${model}`
      const counts = models.get(key) ?? { provider, model, ...NOTHING }
      models.set(key, counts)
      counts.looked++
      if (row.cost_status === "unpriced") counts.unpriced_before++
      if (cost.status === "unpriced" && row.cost_status === "unpriced") {
        counts.unpriced_after++
        counts.reason ??= cost.price?.reason ?? null
      }
      if (!isChanged) return
      counts.changed++
      if (row.billing === "subscription") return
      counts.before = add(counts.before, row.total_cost)
      counts.after = add(counts.after, cost.totalCost)
    },
    /** The models with the most changed rows first. */
    models: (): readonly RepricedModel[] => [...models.values()].sort((a, b) => b.changed - a.changed),
  }
}

function add(sum: string, money: string | null | undefined): string {
  return formatDecimal(parseDecimal(sum) + parseDecimal(money ?? "0"))
}
