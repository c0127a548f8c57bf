/** A part of the difference between the billed and the recorded cost. Amounts are USD as plain decimals. */
export interface BillCause {
  readonly cause: keyof typeof CAUSES
  readonly amount: string
  readonly model: string | null
  readonly tier: string | null
  readonly bucket: string | null
  readonly key: string | null
  readonly project: string | null
  readonly days: readonly string[]
  readonly detail: string
  readonly advice: string | null
}

interface BillDay {
  readonly day: string
  readonly billed: string
  readonly recorded: string
  readonly difference: string
  readonly settling: boolean
  readonly totals: readonly { readonly cause: BillCause["cause"]; readonly amount: string }[]
}

/** What one account of a provider billed, and what was recorded. */
export interface Reconciliation {
  readonly provider: string
  readonly account: string | null
  readonly source: "api" | "legacy-api" | "import"
  readonly fetched_at: string
  readonly billed: string
  readonly recorded: string
  readonly settling: boolean
  /** What needs attention on settled days. */
  readonly excess: string
  readonly tolerated: string
  readonly within_tolerance: boolean
  readonly causes: readonly BillCause[]
  readonly days: readonly BillDay[]
  readonly notes: readonly string[]
}

export interface Bills {
  readonly providers: readonly Reconciliation[]
  /** The providers whose bills the gateway can read itself. */
  readonly configured: readonly string[]
}

/** The names of the causes, in the order in which they are looked for. */
export const CAUSES = {
  outside: "Outside the gateway",
  unmetered: "Not metered",
  estimated: "Estimated",
  tokens: "Tokens differ",
  price: "Price differs",
  discount: "Discount",
  fees: "Fees",
  unexplained: "Unexplained",
} as const

/** Returns the name of a part of the bill for people: `gpt-5.5, cache read, batch`. */
export function toPart({ model, bucket, tier, key, project }: BillCause): string {
  const parts = [model, bucket?.replaceAll("_", " "), tier, key, project]
  return parts.filter((part) => part !== null && part !== undefined).join(", ")
}

/** Returns the commands in a text: what stands between backquotes and has several words. */
export function listCommands(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+\s[^`]+)`/g)].map(([, command]) => command!)
}

/** The series of the chart: the size of each cause by day, those with the most first. */
export function toCauseSeries(days: readonly BillDay[]) {
  const series = (Object.keys(CAUSES) as BillCause["cause"][]).map((cause) => ({
    name: CAUSES[cause],
    values: days.map(({ totals }) => Math.abs(Number(totals.find((each) => each.cause === cause)?.amount ?? 0))),
  }))
  const sum = ({ values }: { readonly values: readonly number[] }) => values.reduce((total, value) => total + value, 0)
  return series.filter((each) => sum(each) > 0).sort((one, other) => sum(other) - sum(one))
}
