import { readFile } from "node:fs/promises"
import type { RateName, Rates } from "../core/cost.ts"
import { formatDecimal, fromNumber, parseDecimal } from "../core/decimal.ts"
import { CommandError } from "../core/errors.ts"
import { RATE_NAMES, toRateLabel } from "../core/rate-names.ts"
import { isRecord } from "../kit/json/is-record.ts"
import type { Row } from "./row.ts"

/**
 * Reads the user's price file: rates by model, or by `provider/model`, in USD per million tokens, such as
 * `{ "my-model": { "input": 0.5, "output": "1.25", "cache_read": 0.05 } }`. The names of the Go gateway and the rows of
 * llm-prices.com (`{ "prices": [{ "id", "input", "output", "input_cached" }] }`) are accepted as well.
 *
 * @returns rows by lower-case name; none if `path` is undefined or empty
 * @throws CommandError for a file that cannot be read or used
 */
export async function readPriceFile(path: string | undefined): Promise<ReadonlyMap<string, Row>> {
  const rows = new Map<string, Row>()
  const content = await readJson("pricing.fallback_file", path)
  if (content === undefined) return rows
  for (const [name, given] of entriesOf(content)) {
    if (name.startsWith("_")) continue
    const base = toRates(`pricing.fallback_file: ${name}`, given)
    rows.set(name.toLowerCase(), { model: name, source: "fallback_file", date: undefined, base, tiers: [] })
  }
  return rows
}

/**
 * Reads the user's file of model names: `{ "my-deployment": "gpt-4o" }`, by name or by `provider/name`.
 *
 * @returns models by lower-case name; none if `path` is undefined or empty
 * @throws CommandError for a file that cannot be read or used
 */
export async function readAliasesFile(path: string | undefined): Promise<ReadonlyMap<string, string>> {
  const aliases = new Map<string, string>()
  const content = await readJson("pricing.aliases_file", path)
  for (const [name, model] of Object.entries(content ?? {})) {
    if (name.startsWith("_")) continue
    if (typeof model !== "string" || model === "") {
      throw new CommandError(
        `pricing.aliases_file: ${name}: expected the name of a model, got ${JSON.stringify(model)}`,
      )
    }
    aliases.set(name.toLowerCase(), model)
  }
  return aliases
}

async function readJson(setting: string, path: string | undefined): Promise<Record<string, unknown> | undefined> {
  if (path === undefined || path === "") return undefined
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : "it cannot be read"
    throw new CommandError(`${setting}: ${path}: ${why}`)
  }
  try {
    const content: unknown = JSON.parse(text)
    if (isRecord(content)) return content
  } catch {
    // Reported below: text that is not JSON and JSON of another kind need the same repair.
  }
  throw new CommandError(`${setting}: ${path}: expected a JSON object`)
}

function entriesOf(content: Record<string, unknown>): readonly (readonly [string, unknown])[] {
  const listed = content["prices"]
  if (!Array.isArray(listed)) return Object.entries(content)
  return listed.map((row: unknown, index) => {
    const id = isRecord(row) ? row["id"] : undefined
    if (typeof id !== "string" || id === "") {
      throw new CommandError(`pricing.fallback_file: prices[${index}]: expected an \`id\``)
    }
    return [id, row] as const
  })
}

const OTHER_NAMES: Readonly<Record<string, RateName | undefined>> = {
  input_cached: "cacheRead",
  input_price_per_million: "input",
  output_price_per_million: "output",
  cached_price_per_million: "cacheRead",
  id: undefined,
  vendor: undefined,
  name: undefined,
}
const NAMES: Readonly<Record<string, RateName>> = Object.fromEntries(
  RATE_NAMES.map((name) => [toRateLabel(name), name]),
)

function toRates(where: string, given: unknown): Rates {
  if (!isRecord(given)) throw new CommandError(`${where}: expected an object of rates`)
  const rates: { [K in RateName]?: string } = {}
  for (const [key, value] of Object.entries(given)) {
    if (value === null || (key in OTHER_NAMES && OTHER_NAMES[key] === undefined)) continue
    const name = NAMES[key] ?? OTHER_NAMES[key]
    if (name === undefined) {
      throw new CommandError(`${where}: unknown rate "${key}"; known are ${Object.keys(NAMES).join(", ")}`)
    }
    rates[name] = toRate(`${where}.${key}`, value)
  }
  if (Object.keys(rates).length === 0) throw new CommandError(`${where}: expected at least one rate`)
  return rates
}

function toRate(where: string, value: unknown): string {
  try {
    const rate = typeof value === "number" ? fromNumber(value) : parseDecimal(String(value))
    if (rate >= 0n) return formatDecimal(rate)
  } catch {
    // Reported below, with its place.
  }
  throw new CommandError(`${where}: expected USD per million tokens, not negative, got ${JSON.stringify(value)}`)
}
