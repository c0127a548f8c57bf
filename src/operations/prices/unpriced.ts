import { DIMENSIONS, type Period } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { withAsker } from "../usage/asker.ts"

interface UnpricedModel {
  readonly provider: string | null
  readonly model: string | null
  /** All requests of the model in the period, and their tokens. */
  readonly requests: number
  readonly input_tokens: number
  readonly output_tokens: number
  /** The requests without a known price. */
  readonly unpriced: number
}

const BY = [DIMENSIONS["provider"]!, DIMENSIONS["model"]!] as const

/** Lists the models that have requests without a known price, those with the most first. */
export async function listUnpriced(
  { database }: Context<"database">,
  period: Period,
): Promise<readonly UnpricedModel[]> {
  const { rows } = await withAsker(database, ({ ask }) => ask({ by: BY, period, filters: {} }))
  const toText = (value: unknown) => (value === null || value === undefined ? null : String(value))
  return rows
    .filter(({ unpriced }) => unpriced > 0)
    .map(({ values, requests, unpriced, input_tokens, output_tokens }) => ({
      provider: toText(values[0]),
      model: toText(values[1]),
      requests,
      unpriced,
      input_tokens,
      output_tokens,
    }))
    .toSorted((a, b) => b.unpriced - a.unpriced)
}
