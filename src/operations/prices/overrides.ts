import { readPriceOverrides } from "../../database/price-overrides.ts"
import type { Context } from "../context.ts"
import { type Override, toOverride } from "./override.ts"

/** Lists the prices that were set in the database. */
export async function listOverrides({ database }: Context<"database">): Promise<readonly Override[]> {
  return (await readPriceOverrides(database.query)).map(toOverride)
}
