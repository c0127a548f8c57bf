import type { RateName, Rates } from "../core/cost.ts"
import { divide, formatDecimal, fromNumber } from "../core/decimal.ts"
import { OWN_DATE, OWN_MODELS } from "./own-models.ts"
import type { Row } from "./row.ts"

/** The day of the data in @pydantic/genai-prices 0.1.8; the package itself does not say it. */
export const BUNDLED_DATE = "2026-09-23"

type Price =
  | number
  | { readonly base: number; readonly tiers: readonly { readonly start: number; readonly price: number }[] }
type Prices = Readonly<Record<string, Price | undefined>>

interface DatedPrices {
  readonly constraint?:
    | { readonly type: "start_date"; readonly start_date: string }
    | { readonly type: "time_of_date"; readonly start_time: string; readonly end_time: string }
  readonly prices: Prices
}

export type MatchRule =
  | { readonly equals: string }
  | { readonly starts_with: string }
  | { readonly ends_with: string }
  | { readonly contains: string }
  | { readonly regex: string }
  | { readonly or: readonly MatchRule[] }
  | { readonly and: readonly MatchRule[] }

/** A model as genai-prices writes it: only what we read of it. */
export interface BundledModel {
  readonly id: string
  readonly match?: MatchRule
  readonly prices: Prices | readonly DatedPrices[]
  readonly own?: true
}

export interface BundledProvider {
  readonly id: string
  readonly api_pattern: string
  readonly fallback_model_providers?: readonly string[]
  readonly models: readonly BundledModel[]
}

/** The bundled catalogue with our own rows in it. Loaded on first use: it is most of a megabyte of source. */
export async function loadBundled(): Promise<ReadonlyMap<string, BundledProvider>> {
  const { waitForUpdate } = await import("@pydantic/genai-prices")
  const providers = ((await waitForUpdate()) ?? []) as readonly BundledProvider[]
  return new Map(providers.map((provider) => [provider.id, withOwnModels(provider)]))
}

function withOwnModels(provider: BundledProvider): BundledProvider {
  const own = OWN_MODELS[provider.id] ?? []
  const theirs = new Map(provider.models.map((model) => [model.id, model]))
  const ours = own.map((model) => ({ ...theirs.get(model.id), ...model, own: true as const }))
  const replaced = new Set(own.map((model) => model.id))
  return { ...provider, models: [...ours, ...provider.models.filter((model) => !replaced.has(model.id))] }
}

/** The model's price at that moment. `varies`: it depends on the hour, so no flat price of another source can replace it. */
export function bundledRow(
  model: BundledModel,
  at: number,
): {
  readonly row: Row
  readonly varies: boolean
  readonly since: string | undefined
  /** What else is billed and no reading tells: without it a sum is a lower bound. */
  readonly beside: readonly string[]
} {
  const dated: readonly DatedPrices[] = Array.isArray(model.prices)
    ? model.prices
    : [{ prices: model.prices as Prices }]
  const { prices, since } = pricesAt(model, dated, at)
  const [source, date] = model.own ? (["majordomo", OWN_DATE] as const) : (["genai-prices", BUNDLED_DATE] as const)
  return {
    row: { model: model.id, source, date: since ?? date, ...toRates(prices) },
    varies: dated.some(({ constraint }) => constraint?.type === "time_of_date"),
    since,
    beside: Object.entries(BESIDE).flatMap(([key, what]) => (prices[key] === undefined ? [] : [what])),
  }
}

const BESIDE: Readonly<Record<string, string>> = {
  requests_kcount: "a fee per request",
  output_citation_mtok: "a fee for citations",
  input_text_messages_kcount: "a fee per message",
}

/** The last condition that holds wins. A daily window that is listed after a day begins to hold on that day. */
function pricesAt(
  model: BundledModel,
  dated: readonly DatedPrices[],
  at: number,
): { readonly prices: Prices; readonly since: string | undefined } {
  let prices = dated[0]?.prices ?? {}
  let since: string | undefined
  let begun = true
  for (const { constraint, prices: candidate } of dated) {
    if (constraint === undefined) prices = candidate
    else if (constraint.type === "start_date") {
      begun = at >= Date.parse(constraint.start_date)
      if (begun) {
        prices = candidate
        since = constraint.start_date
      }
    } else if (begun && isInWindow(constraint, at) && !isDeepseekWeekend(model, at)) prices = candidate
  }
  return { prices, since }
}

const DAY_MS = 86_400_000

function isInWindow(window: { readonly start_time: string; readonly end_time: string }, at: number): boolean {
  const start = Date.parse(`1970-01-01T${window.start_time}`)
  const end = Date.parse(`1970-01-01T${window.end_time}`)
  const now = at % DAY_MS
  return start <= end ? now >= start && now < end : now >= start || now < end
}

/** From 2026-08-23 DeepSeek V4 has no peak hours on Saturdays and Sundays in Beijing (UTC+8). */
function isDeepseekWeekend(model: BundledModel, at: number): boolean {
  if (!model.id.startsWith("deepseek-v4") || at < Date.parse("2026-08-22T16:00:00Z")) return false
  const day = new Date(at + 8 * 3_600_000).getUTCDay()
  return day === 0 || day === 6
}

const PER_MILLION: Readonly<Record<string, RateName>> = {
  input_mtok: "input",
  output_mtok: "output",
  cache_read_mtok: "cacheRead",
  cache_write_mtok: "cacheWrite",
  cache_write_1h_mtok: "cacheWrite1h",
  input_audio_mtok: "inputAudio",
  output_audio_mtok: "outputAudio",
  cache_audio_read_mtok: "cacheReadAudio",
  input_image_mtok: "inputImage",
  output_image_mtok: "outputImage",
  cache_image_read_mtok: "cacheReadImage",
  output_reasoning_mtok: "reasoning",
}

const PER_PIECE: Readonly<Record<string, { readonly name: RateName; readonly pieces: number }>> = {
  web_searches_kcount: { name: "webSearches", pieces: 1000 },
  storage_searches_kcount: { name: "fileSearches", pieces: 1000 },
  audio_hours: { name: "audioSeconds", pieces: 3600 },
  input_audio_hours: { name: "audioSeconds", pieces: 3600 },
}

function toRates(prices: Prices): Pick<Row, "base" | "tiers"> {
  const base: { [K in RateName]?: string } = {}
  const tiers = new Map<number, { [K in RateName]?: string }>()
  for (const [key, price] of Object.entries(prices)) {
    const name = PER_MILLION[key]
    const piece = PER_PIECE[key]
    if (piece && typeof price === "number") {
      base[piece.name] = formatDecimal(divide(fromNumber(price), fromNumber(piece.pieces)))
    }
    if (name === undefined || price === undefined) continue
    base[name] = plain(typeof price === "number" ? price : price.base)
    for (const tier of typeof price === "number" ? [] : price.tiers) {
      tiers.set(tier.start, { ...tiers.get(tier.start), [name]: plain(tier.price) })
    }
  }
  const ascending = [...tiers].sort(([a], [b]) => a - b)
  return { base, tiers: ascending.map(([above, rates]) => ({ above, rates: rates as Rates })) }
}

function plain(value: number): string {
  return formatDecimal(fromNumber(value))
}
