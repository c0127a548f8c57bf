/** The columns of a file, found by names in lower case without spaces and punctuation: `lineitemusagetype`. */
export class Columns {
  /** The names as the file writes them. */
  readonly names: readonly string[]
  /** The names that are compared, in the order of the file. */
  readonly keys: readonly string[]
  private readonly byKey = new Map<string, number>()

  constructor(cells: readonly string[]) {
    this.names = cells.map((cell) => cell.trim())
    this.keys = this.names.map(toColumnKey)
    for (const [at, key] of this.keys.entries()) if (key !== "" && !this.byKey.has(key)) this.byKey.set(key, at)
  }

  /** Returns the index of the first of the columns that the file has. */
  find(...keys: readonly string[]): number | undefined {
    for (const key of keys) {
      const at = this.byKey.get(key)
      if (at !== undefined) return at
    }
    return undefined
  }

  /** Returns the currency in the name of a column, such as `$` of `Cost ($)`. */
  currencyOf(at: number): string | undefined {
    return CURRENCY.exec(this.names[at] ?? "")?.[1]
  }

  /** Returns the names as a list for a message. */
  toString(): string {
    const named = this.names.filter((name) => name !== "")
    const shown = named.slice(0, 40).join(", ")
    return named.length > 40 ? `${shown} and ${named.length - 40} more` : shown
  }
}

/** A currency in parentheses at the end of a name. Other words in parentheses belong to the name. */
const CURRENCY = /\s*\(([A-Z]{0,3}[$€£¥₹₩]|[A-Z]{3})\)$/

/** `lineItem/UsageType` and `line_item_usage_type` become `lineitemusagetype`, and `Cost ($)` becomes `cost`. */
export function toColumnKey(name: string): string {
  return name
    .replace(CURRENCY, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "")
}
