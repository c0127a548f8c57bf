import { NotFoundError } from "../../core/errors.ts"
import { recordChange } from "../../database/access/audit.ts"
import { deletePriceOverrides } from "../../database/price-overrides.ts"
import type { Context } from "../context.ts"
import { type Override, toOverride } from "./override.ts"
import { toName } from "./set.ts"

interface UnsetInput {
  readonly model: string
  readonly provider: string | null
  /** The first day of the price that is removed, null: the price without a day; undefined: all that were set of the model. */
  readonly from: string | null | undefined
}

/**
 * Removes prices that were set. The price lists then say again what the model costs. Returns what was removed.
 *
 * @throws NotFoundError if no such price was set
 */
export async function unsetPrice(
  { database, prices, actor }: Context<"database" | "prices" | "actor">,
  input: UnsetInput,
): Promise<readonly Override[]> {
  const removed = await database.transaction(async (query) => {
    const all = (await deletePriceOverrides(query, input)).map(toOverride)
    for (const before of all)
      await recordChange(query, actor, { action: "pricing.unset", target: toName(before), before })
    return all
  })
  if (removed.length === 0) {
    const when = typeof input.from === "string" ? ` from ${input.from} on` : ""
    throw new NotFoundError(`no price was set for ${toName(input)}${when}; see majordomo-gateway pricing overrides`)
  }
  await prices.reloadOverrides()
  return removed
}
