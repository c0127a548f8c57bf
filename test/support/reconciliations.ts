import type pg from "pg"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { Cause, Reconciliation } from "../../src/core/reconciliation.ts"
import { writeReconciliation } from "../../src/database/reconciliations.ts"

/** Returns the UTC day before today by some days. */
export const dayAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)

interface Given extends Partial<Pick<Reconciliation, "provider" | "account" | "source">> {
  /** USD of the cause `outside`; the price differs by 1.21 USD. `0`: neither is there. */
  readonly gap?: string
}

/**
 * Returns a comparison of the last three days. The day before yesterday has the causes of the example in the documentation,
 * and today is settling.
 */
export function aReconciliation({ gap = "5.10", ...given }: Given = {}): Reconciliation {
  const days = [dayAgo(2), dayAgo(1), dayAgo(0)] as const
  const causes = gap === "0" ? [] : [...toOutside(gap, days[0]), ...toPrice(days[0])]
  const recorded = "1198.02"
  const difference = causes.reduce((sum, { amount }) => sum + parseDecimal(amount), 0n)
  const billed = formatDecimal(parseDecimal(recorded) + difference)
  const empty = { billed: "0", recorded: "0", causes: [] }
  return {
    provider: "openai",
    account: undefined,
    since: days[0],
    until: new Date(Date.parse(days[2]) + 86_400_000).toISOString().slice(0, 10),
    source: "api",
    fetchedAt: new Date().toISOString(),
    billed,
    recorded,
    settling: true,
    causes,
    days: [
      { day: days[0], billed, recorded, settling: false, causes },
      { ...empty, day: days[1], settling: false },
      { ...empty, day: days[2], settling: true },
    ],
    notes: [],
    ...given,
  }
}

function toOutside(amount: string, day: string): Cause[] {
  return [
    {
      cause: "outside",
      why: "outside",
      amount,
      quantities: {},
      model: "gpt-5-mini",
      key: "key_4f2a",
      project: "evals",
      requests: 312,
      days: [day],
      detail: "A key that no request through the gateway has used was billed for 312 requests.",
      advice: "Send its requests through the gateway, or leave its project out with `reconcile.openai.projects`.",
    },
  ]
}

function toPrice(day: string): Cause[] {
  return [
    {
      cause: "price",
      why: "rate",
      amount: "1.21",
      quantities: {},
      model: "gpt-5.5",
      bucket: "cache_read",
      days: [day],
      detail: "Cached input was billed at $0.25 per million tokens, and priced at $0.125.",
      rate: { per: "million", billed: "0.25", recorded: "0.125", source: "llm-prices.com", date: "2026-10-30" },
    },
  ]
}

/** Stores a comparison. */
export async function insertReconciliation(client: pg.Client, reconciliation: Reconciliation): Promise<void> {
  await writeReconciliation(
    (query) =>
      client.query(
        typeof query === "string" ? query : { text: query.text, values: [...(query.values ?? [])] },
      ) as never,
    reconciliation,
  )
}
