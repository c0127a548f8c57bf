import type { RateName } from "../core/cost.ts"
import { CommandError } from "../core/errors.ts"
import { type OwnPrice, parseOwnPrices } from "../core/own-prices.ts"
import { createTable } from "../core/table.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { toProviderId } from "./identify.ts"
import { isLitellmMap, parseLitellmMap } from "./litellm-map.ts"
import type { PriceBookOptions } from "./options.ts"
import { readUserFile } from "./user-file.ts"

type Files = Pick<PriceBookOptions, "fallbackFile" | "aliasesFile" | "readYaml">

/**
 * Reads the user's price file: prices by model, or by `provider/model`, in USD per million tokens, such as
 * `{ "my-model": { "input": 0.5, "output": "1.25", "cache_read": 0.05 } }`. Four more layouts are accepted:
 *
 * * the names of the Go gateway (`input_price_per_million`, …), where a cached price of 0 means that it is not known
 * * the lists of llm-prices.com: `{ "prices": [{ "id", "input", … }] }`, with `from_date` and `to_date` if they have history
 * * the data files of llm-prices.com: `{ "models": [{ "id", "price_history": […] }] }`
 * * LiteLLM's price map, which is in USD per token
 *
 * @returns prices by lower-case name; none if there is no file
 * @throws CommandError for a file that cannot be read or used
 */
export async function readPriceFile({
  fallbackFile,
  readYaml,
}: Files): Promise<ReadonlyMap<string, readonly OwnPrice[]>> {
  const content = await readUserFile(SETTING, fallbackFile, readYaml)
  if (content === undefined) return new Map()
  if (isLitellmMap(content)) return fromLitellmMap(content)
  const models: Model[] = []
  for (const [name, given, title] of entriesOf(content)) {
    if (name.startsWith("_")) continue
    const prices = parseOwnPrices(`${SETTING}: ${name}`, withoutUnknown(given), OTHER_NAMES)
    models.push({ name: name.toLowerCase(), prices, title, isGo: isGoRow(given) })
  }
  return withLongTiers(models)
}

/**
 * Returns the prices of LiteLLM's map by the names of its models. A name with LiteLLM's name of a provider, such as
 * `xai/grok-4`, is listed with ours as well.
 */
function fromLitellmMap(content: Record<string, unknown>): ReadonlyMap<string, readonly OwnPrice[]> {
  const prices = new Map<string, readonly OwnPrice[]>()
  for (const { name: given, base, tiers } of parseLitellmMap(content)) {
    const name = given.toLowerCase()
    prices.set(name, [{ base, tiers }])
    const slash = name.indexOf("/")
    const ours = slash < 0 ? name : `${toProviderId(name.slice(0, slash).replaceAll("_", "-"))}${name.slice(slash)}`
    if (!prices.has(ours)) prices.set(ours, [{ base, tiers }])
  }
  return prices
}

/**
 * Reads the user's file of model names: `{ "my-deployment": "gpt-4o" }`, by name or by `provider/name`.
 *
 * @returns models by lower-case name; none if there is no file
 * @throws CommandError for a file that cannot be read or used
 */
export async function readAliasesFile({ aliasesFile, readYaml }: Files): Promise<ReadonlyMap<string, string>> {
  const aliases = new Map<string, string>()
  const content = await readUserFile("pricing.aliases_file", aliasesFile, readYaml)
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

const SETTING = "pricing.fallback_file"

const OTHER_NAMES: Readonly<Record<string, RateName | undefined>> = createTable({
  input_cached: "cacheRead",
  input_price_per_million: "input",
  output_price_per_million: "output",
  cached_price_per_million: "cacheRead",
  id: undefined,
  vendor: undefined,
  name: undefined,
})

interface Model {
  readonly name: string
  readonly prices: readonly OwnPrice[]
  /** The name for people in llm-prices' lists, such as "GPT-5.4 >272k". */
  readonly title: string | undefined
  readonly isGo: boolean
}

type Entry = readonly [name: string, given: unknown, title?: string | undefined]

/** Returns the entries of all layouts in ours. Rows of one model for several periods become one entry. */
function entriesOf(content: Record<string, unknown>): readonly Entry[] {
  const listed = Array.isArray(content["prices"])
  const rows = listed ? content["prices"] : content["models"]
  if (!Array.isArray(rows)) return Object.entries(content)
  const entries = new Map<string, { readonly prices: unknown[]; readonly title: string | undefined }>()
  rows.forEach((row: unknown, index) => {
    const { id, name, price_history: history, ...rates } = isRecord(row) ? row : {}
    if (typeof id !== "string" || id === "") {
      throw new CommandError(`${SETTING}: ${listed ? "prices" : "models"}[${index}]: expected an \`id\``)
    }
    const entry = entries.get(id) ?? { prices: [], title: typeof name === "string" ? name : undefined }
    entry.prices.push(...(Array.isArray(history) ? history : [rates]).map(withPeriod))
    entries.set(id, entry)
  })
  return [...entries].map(([id, { prices, title }]) => [id, prices.length === 1 ? prices[0] : prices, title] as const)
}

/** Renames the days of llm-prices' history. */
function withPeriod(row: unknown): unknown {
  if (!isRecord(row)) return row
  const { from_date: from, to_date: to, ...rates } = row
  return { ...rates, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
}

function isGoRow(given: unknown): boolean {
  return isRecord(given) && "input_price_per_million" in given
}

/** Leaves out a cached price of 0 of the Go gateway, which writes 0 for a price that it does not know. */
function withoutUnknown(given: unknown): unknown {
  if (!isRecord(given) || Number(given["cached_price_per_million"]) !== 0) return given
  const { cached_price_per_million: _, ...known } = given
  return known
}

/** Long-context rows are for prompts of at least this many thousand tokens. `gpt-3.5-turbo-16k` is a model. */
const LEAST_LONG = 100

/**
 * Makes the row `NAME-200k` the long-context tier of `NAME`: in a list of llm-prices.com where its title contains `>`, and
 * in a file of the Go gateway. The row stays, because a model may have that name.
 */
function withLongTiers(models: readonly Model[]): ReadonlyMap<string, readonly OwnPrice[]> {
  const prices = new Map(models.map((model) => [model.name, model.prices]))
  for (const model of models) {
    const [, name = "", thousands = ""] = /^(.+)-(\d+)k$/.exec(model.name) ?? []
    const base = prices.get(name)
    const isLong = model.isGo ? Number(thousands) >= LEAST_LONG : model.title?.includes(">") === true
    if (!isLong || base === undefined) continue
    const above = Number(thousands) * 1000
    prices.set(
      name,
      base.map((price) => {
        const long = model.prices.find((each) => each.from === price.from) ?? model.prices.at(-1)
        const tier = long === undefined ? [] : [{ above, rates: long.base }]
        return { ...price, tiers: [...price.tiers, ...tier].sort((a, b) => a.above - b.above) }
      }),
    )
  }
  return prices
}
