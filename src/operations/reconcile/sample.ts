import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { Bill, BillLine, RecordedLine } from "../../core/reconciliation.ts"
import { writeReconciliation } from "../../database/reconciliations.ts"
import { readSlowly } from "../../database/slow-read.ts"
import { compareBills } from "../../reconcile/compare/index.ts"
import { askRecorded, readRecorded } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { toDay } from "./days.ts"

const DAY_MS = 86_400_000
const SETTLE_MS = 6 * 3_600_000
/** The days before today on which a key outside of the gateway was used. */
const OUTSIDE_DAYS = [4, 5, 11]
/** Output costs a tenth more since so many days, of the model that is used most. */
const PRICE_DAYS = 9

/**
 * Stores a comparison for the demo: the bill is what was recorded on the last 30 days, with the usage of a key outside of the
 * gateway, and with a price that has changed.
 */
export async function storeSampleBill({ database, now }: Context<"database" | "now">, provider: string): Promise<void> {
  const today = Math.floor(now() / DAY_MS) * DAY_MS
  const days = { since: toDay(today - 30 * DAY_MS), until: toDay(today + DAY_MS) }
  const { rows } = await readSlowly(database, askRecorded({ provider, ...days }))
  const recorded = readRecorded(rows, { provider })
  const isInside = ({ day }: RecordedLine) => day >= days.since && day < days.until
  const lines = toBillLines(recorded.lines.filter(isInside))
  const bill: Bill = {
    provider,
    account: "org-demo",
    ...days,
    source: "api",
    lines: [
      ...changePrice(lines, toDay(today - PRICE_DAYS * DAY_MS)),
      ...OUTSIDE_DAYS.map((ago) => toOutside(toDay(today - ago * DAY_MS))),
    ],
    fetchedAt: new Date(now()).toISOString(),
    notes: [],
  }
  const options = { settledBefore: new Date(now() - SETTLE_MS), keys: new Map<string, string>() }
  await writeReconciliation(database.query, compareBills(bill, recorded, options))
}

function toBillLines(recorded: readonly RecordedLine[]): readonly BillLine[] {
  const lines = new Map<string, BillLine>()
  for (const { day, model, tier, bucket, quantity, cost } of recorded) {
    const key = JSON.stringify([day, model, tier, bucket])
    const before = lines.get(key)
    lines.set(key, {
      ...EMPTY,
      day,
      model,
      tier,
      bucket,
      quantity: add(before?.quantity, quantity),
      cost: add(before?.cost, cost ?? "0"),
    })
  }
  return [...lines.values()]
}

const EMPTY = { key: undefined, project: undefined, requests: undefined, listCost: undefined, item: undefined }

function add(sum: string | undefined, amount: string): string {
  return formatDecimal(parseDecimal(sum ?? "0") + parseDecimal(amount))
}

function changePrice(lines: readonly BillLine[], since: string): readonly BillLine[] {
  const output = lines.filter(({ bucket, cost }) => bucket === "output" && Number(cost) > 0)
  const { model } = output.toSorted((one, other) => Number(other.cost) - Number(one.cost))[0] ?? {}
  return lines.map((line) => {
    if (line.model !== model || line.bucket !== "output" || line.day < since) return line
    return { ...line, cost: formatDecimal((parseDecimal(line.cost ?? "0") * 11n) / 10n) }
  })
}

function toOutside(day: string): BillLine {
  return {
    ...EMPTY,
    day,
    model: "gpt-5-mini",
    tier: undefined,
    bucket: "input",
    key: "key_evals",
    project: "proj_evals",
    quantity: "60000",
    cost: "0.015",
  }
}
