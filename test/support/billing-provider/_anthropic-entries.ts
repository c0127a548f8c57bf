import { type Decimal, parseDecimal } from "../../../src/core/decimal.ts"
import type { Bucket } from "../../../src/core/reconciliation.ts"
import { type Books, bucketsOf, costOf, listCostOf, visibleCharges, visibleWork, type Work } from "./_books.ts"

const TOKEN_TYPES: Partial<Record<Bucket, string>> = {
  input: "uncached_input_tokens",
  cache_read: "cache_read_input_tokens",
  cache_write: "cache_creation.ephemeral_5m_input_tokens",
  cache_write_1h: "cache_creation.ephemeral_1h_input_tokens",
  output: "output_tokens",
}

/** A part of the work or a charge, with the members by which reports group it. */
export interface Entry {
  readonly at: number
  readonly work: Work | undefined
  readonly values: Readonly<Record<string, string | null>>
  readonly cost: Decimal
  readonly listCost: Decimal
}

export function toUsageEntries(books: Books): Entry[] {
  return visibleWork(books, "anthropic").map((work) => ({
    at: work.at,
    work,
    values: valuesOf(work),
    cost: 0n,
    listCost: 0n,
  }))
}

export function toCostEntries(books: Books): Entry[] {
  const ofWork = visibleWork(books, "anthropic").flatMap((work) =>
    bucketsOf(work).map((bucket) => {
      const tokenType = TOKEN_TYPES[bucket] ?? null
      const costType = tokenType === null ? "web_search" : "tokens"
      const description = `${work.model} Usage - ${tokenType ?? "Web Search"}${work.tier === "standard" ? "" : ` (${work.tier})`}`
      return {
        at: work.at,
        work,
        values: { ...valuesOf(work), cost_type: costType, token_type: tokenType, description },
        cost: costOf(books, work, bucket),
        listCost: listCostOf(books, work, bucket),
      }
    }),
  )
  const others = visibleCharges(books, "anthropic").map(
    ({ at, item, amount, model = null, key = null, project = null }) => ({
      at,
      work: undefined,
      values: { cost_type: item, token_type: null, description: item, model, api_key_id: key, workspace_id: project },
      cost: parseDecimal(amount),
      listCost: parseDecimal(amount),
    }),
  )
  return [...ofWork, ...others]
}

function valuesOf({ model, key, project, tier }: Work): Entry["values"] {
  return {
    model,
    api_key_id: key,
    workspace_id: project,
    service_tier: tier,
    context_window: "0-200k",
    inference_geo: null,
    speed: "standard",
  }
}
