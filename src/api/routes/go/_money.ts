import { z } from "zod"

/** Money as the Go gateway writes it, which is a JSON number. A cost that is not known is null, which Go reads as 0. */
export const usd = z.number().nullable().describe("USD; null: not known")

/** Returns the JSON number of a plain decimal. */
export function toUsd(decimal: string | null | undefined): number | null {
  return decimal === null || decimal === undefined ? null : Number(decimal)
}
