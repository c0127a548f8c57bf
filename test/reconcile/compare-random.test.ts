import { describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { Cause, Reconciliation } from "../../src/core/reconciliation.ts"
import { compareBills } from "../../src/reconcile/compare/index.ts"
import { FORMS, makeCase } from "./_random-bill.ts"
import { OPTIONS } from "./_traffic.ts"

const ROUNDS = Number(process.env["RECONCILE_ROUNDS"] ?? 50)

/** Adds up causes as `makeCase` says what it expects. */
function found({ days }: Reconciliation): Map<string, bigint> {
  const sums = new Map<string, bigint>()
  for (const { day, causes } of days) {
    for (const { cause, model, bucket, amount } of causes) {
      const of = [cause, day, String(model), ...(cause === "tokens" || cause === "price" ? [bucket] : [])].join(" ")
      sums.set(of, (sums.get(of) ?? 0n) + parseDecimal(amount))
    }
  }
  return sums
}

function readable(sums: ReadonlyMap<string, bigint>): string[] {
  return [...sums]
    .filter(([, amount]) => amount !== 0n)
    .map(([of, amount]) => `${of}: ${formatDecimal(amount)}`)
    .sort()
}

const sumOf = (causes: readonly Cause[]) => causes.reduce((sum, { amount }) => sum + parseDecimal(amount), 0n)

describe.each(FORMS.map((form, at) => [form, at] as const))("a random bill (%s)", (_, at) => {
  const rule =
    "has every planted difference under its cause, model, bucket and day, and causes that add up, to the last digit"
  test(rule, () => {
    for (let round = 0; round < ROUNDS; round++) {
      const seed = round * FORMS.length + at
      const { bill, recorded, keys, expected } = makeCase(seed)
      const result = compareBills(bill, recorded, { ...OPTIONS, keys })
      expect(readable(found(result)), `seed ${seed}`).toEqual(readable(expected))
      for (const side of [result, ...result.days])
        expect(sumOf(side.causes), `seed ${seed}`).toBe(parseDecimal(side.billed) - parseDecimal(side.recorded))
    }
  })
})
