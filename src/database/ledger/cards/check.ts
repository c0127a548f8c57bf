import { isDeepStrictEqual } from "node:util"
import { formatDecimal, multiply, parseDecimal } from "../../../core/decimal.ts"
import type { LogRecord } from "../../../core/log-record.ts"
import { replaceUnstorable } from "../unstorable.ts"
import type { StoredCard } from "./card.ts"

/** Returns whether a card and values give the certificate and the usage of a row, to the digit. */
export function givesBack(
  card: StoredCard,
  values: readonly unknown[],
  { price, usage }: Pick<LogRecord, "price" | "usage">,
) {
  const gaps = values.map(String)
  const read = (array: string) => array.slice(1, -1).split(",").filter(Boolean)
  const units = read(card.units)
  const amounts = read(card.quantities).map((position, i) =>
    formatDecimal(multiply(parseDecimal(gaps[Number(position) - 1]!), parseDecimal(units[i]!))),
  )
  const isSame = (template: string | null, value: unknown) =>
    isDeepStrictEqual(
      template === null ? undefined : JSON.parse(fill(template, [...gaps, ...amounts])),
      toStored(value),
    )
  return isSame(card.price, price) && isSame(card.usage, usage)
}

/** Fills the gaps of a template as `majordomo_fill` does. */
function fill(template: string, values: readonly string[]): string {
  return template
    .replaceAll("'", '"')
    .replace(/%(?:%|(\d+)\$s)/g, (_, position) => (position === undefined ? "%" : values[position - 1]!))
}

function toStored(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(replaceUnstorable(JSON.stringify(value)))
}
