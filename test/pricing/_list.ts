import type { ListedPrice } from "../../src/pricing/listed-price.ts"

/** Returns a row as `current-v1.json` has it. */
export function listedRow(
  vendor: string,
  id: string,
  input: number,
  output: number,
  cached: number | null,
): ListedPrice {
  return { id, vendor, name: id, input, output, input_cached: cached }
}

/** Returns a whole list: the given rows, and enough others for it to be accepted. */
export function bodyOf(rows: readonly ListedPrice[], updated = "2026-11-01") {
  const others = Array.from({ length: 25 }, (_, index) => listedRow("qwen", `filler-${index}`, 1, 2, null))
  return { updated_at: updated, prices: [...rows, ...others] }
}
