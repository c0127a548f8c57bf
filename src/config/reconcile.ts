import { formatDecimal, parseDecimal } from "../core/decimal.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { INVALID, type ValueParser } from "./value-parsers.ts"

/** A difference that is tolerated: the larger of a part of the bill and an amount. */
export interface Tolerance {
  /** The part of what was billed, as an exact decimal: 1 % is `0.01`. */
  readonly share: string
  /** USD, as an exact decimal. */
  readonly usd: string
}

const PERCENT = /^(\d{1,3}(?:\.\d{1,6})?) ?%$/
const USD = /^\$ ?(\d{1,9}(?:\.\d{1,6})?)$/

/** A percentage, an amount, or both, such as `1% or $1`. */
export const tolerance: ValueParser<Tolerance, ""> = {
  unit: "",
  expected: "a percentage, an amount, or both, such as 1%, $1 or 1% or $1",
  parse: (raw) => {
    const parts = typeof raw === "string" ? raw.trim().split(/\s+or\s+/) : []
    const [percent, ...percents] = parts.flatMap((part) => PERCENT.exec(part)?.[1] ?? [])
    const [usd, ...amounts] = parts.flatMap((part) => USD.exec(part)?.[1] ?? [])
    const isEach = parts.every((part) => PERCENT.test(part) || USD.test(part))
    if (parts.length === 0 || !isEach || percents.length + amounts.length > 0) return INVALID
    return { share: formatDecimal(parseDecimal(percent ?? "0") / 100n), usd: usd ?? "0" }
  },
}

/** Aliases of API keys by the ids that the provider gives them. Text is parsed as JSON. */
export const keyAliases: ValueParser<Readonly<Record<string, string>>, ""> = {
  unit: "",
  expected: "aliases of API keys by their ids, such as { key_abc: team-a }",
  parse: (raw) => {
    const table = typeof raw === "string" ? parseJson(raw) : raw
    const isTable = isRecord(table) && Object.values(table).every((alias) => typeof alias === "string" && alias !== "")
    return isTable ? (table as Record<string, string>) : INVALID
  },
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
