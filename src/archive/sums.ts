import { type ArchiveRow, COST_DIGITS, SUM_NAMES, type SumName, type Sums, TOKEN_NAMES } from "../core/archive-row.ts"

/** Sums as whole numbers: tokens and requests as they are, amounts in units of 10^-12 USD. */
export type SumUnits = Record<SumName, bigint>

const isAmount = (name: SumName) => (name.endsWith("_cost") ? name !== "without_cost" : name === "subscription_value")

export function createSums(): SumUnits {
  return Object.fromEntries(SUM_NAMES.map((name) => [name, 0n])) as SumUnits
}

/** Adds a row as the rollups count it: a row that stands for lost rows (`outcome` is `gap`) counts nothing. */
export function addRow(sums: SumUnits, row: ArchiveRow): void {
  if (row["outcome"] === "gap") return
  sums.requests++
  for (const name of TOKEN_NAMES) sums[name] += BigInt(row[name] as string)
  if (row["cost_status"] === "unpriced") sums.unpriced++
  const total = row["total_cost"] as string | null
  if (row["billing"] === "subscription") {
    sums.subscription_requests++
    if (total !== null) sums.subscription_value += toUnits(total)
    return
  }
  if (total === null) sums.without_cost++
  else sums.total_cost += toUnits(total)
  for (const name of ["input_cost", "output_cost"] as const) {
    const cost = row[name] as string | null
    if (cost !== null) sums[name] += toUnits(cost)
  }
}

export function addSums(a: SumUnits, b: SumUnits): SumUnits {
  return Object.fromEntries(SUM_NAMES.map((name) => [name, a[name] + b[name]])) as SumUnits
}

export function parseSums(sums: Sums): SumUnits {
  const entries = SUM_NAMES.map((name) => [name, isAmount(name) ? toUnits(sums[name]) : BigInt(sums[name])])
  return Object.fromEntries(entries) as SumUnits
}

export function formatSums(sums: SumUnits): Sums {
  const entries = SUM_NAMES.map((name) => [name, isAmount(name) ? fromUnits(sums[name]) : String(sums[name])])
  return Object.fromEntries(entries) as Sums
}

/** Returns the names whose sums differ, each with both values: `total_cost 1.5 instead of 1.6`. */
export function compareSums(found: SumUnits, expected: SumUnits): readonly string[] {
  const [has, wants] = [formatSums(found), formatSums(expected)]
  return SUM_NAMES.filter((name) => has[name] !== wants[name]).map(
    (name) => `${name} ${has[name]} instead of ${wants[name]}`,
  )
}

/**
 * Parses a plain decimal to units of 10^-12.
 * @throws RangeError if it has more digits after the point, which the archive could not store
 */
export function toUnits(text: string): bigint {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d*?)0*)?$/.exec(text) ?? []
  if (whole === undefined || fraction.length > COST_DIGITS) {
    throw new RangeError(`expected an amount with at most ${COST_DIGITS} digits after the point, got "${text}"`)
  }
  const units = BigInt(whole + fraction.padEnd(COST_DIGITS, "0"))
  return sign === "-" ? -units : units
}

function fromUnits(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(COST_DIGITS + 1, "0")
  const fraction = digits.slice(-COST_DIGITS).replace(/0+$/, "")
  const text = fraction === "" ? digits.slice(0, -COST_DIGITS) : `${digits.slice(0, -COST_DIGITS)}.${fraction}`
  return units < 0n ? `-${text}` : text
}
