import type { KindRates, RateName, Rates } from "../core/cost.ts"
import { divide, formatDecimal, fromNumber } from "../core/decimal.ts"
import { createTable } from "../core/table.ts"
import type { CatalogModel, CatalogPrices, CatalogProvider, DatedPrices, ModelVersion } from "./catalog-model.ts"
import { doubtOfOrigin } from "./origins.ts"
import { OWN_DATE, OWN_MODELS } from "./own-models.ts"
import type { Row } from "./row.ts"

/** The day of the data in @pydantic/genai-prices 0.1.8. The package itself does not contain it. */
export const BUNDLED_DATE = "2026-09-23"

/** Loads the bundled data. It is loaded on first use, because it is almost 1 MB. */
export async function loadBundled(): Promise<readonly CatalogProvider[]> {
  const { waitForUpdate } = await import("@pydantic/genai-prices")
  return ((await waitForUpdate()) ?? []) as readonly CatalogProvider[]
}

/** Returns a provider with our own models, which replace those with the same id. */
export function withOwnModels(provider: CatalogProvider): CatalogProvider {
  const own = OWN_MODELS[provider.id] ?? []
  const theirs = new Map(provider.models.map((model) => [model.id, model]))
  const ours = own.map((model) => ({ ...theirs.get(model.id), ...model, own: true as const }))
  const replaced = new Set(own.map((model) => model.id))
  return { ...provider, models: [...ours, ...provider.models.filter((model) => !replaced.has(model.id))] }
}

/** The price of one model of the catalog at one time. */
export interface BundledRow {
  readonly row: Row
  /** The price depends on the hour, so no flat price of another source can replace it. */
  readonly varies: boolean
  /** The day on which this price began, `YYYY-MM-DD`, if the catalog says it. */
  readonly since: string | undefined
  /** The catalog says when the price changed, or the gateway saw it, so the price is that of the time. */
  readonly isDated: boolean
  /** Fees that no reading reports. A sum without them is a lower bound. */
  readonly unmetered: readonly string[]
}

/** Returns the price of a model of the catalog at the time `at`, in milliseconds since the epoch. */
export function bundledRow(model: CatalogModel, at: number): BundledRow {
  const version = versionAt(model, at)
  const dated = toDated(version?.prices ?? model.prices)
  const { prices, since, unsure } = pricesAt(model, dated, at)
  const day = version === undefined ? (model.day ?? BUNDLED_DATE) : toDay(version.from)
  const [source, date] = model.own ? (["majordomo", OWN_DATE] as const) : (["genai-prices", day] as const)
  return {
    row: {
      model: model.id,
      source,
      date: since ?? date,
      isLater: (version !== undefined && version.from > at) || undefined,
      ...toRates(prices),
      ...unsureOf(model, prices, unsure),
    },
    varies: dated.some(({ constraint }) => constraint?.type === "time_of_date"),
    since,
    isDated: hasDates(model) || (model.versions ?? []).some(({ from }) => from <= at),
    unmetered: Object.entries(UNMETERED).flatMap(([key, fee]) => (prices[key] === undefined ? [] : [fee])),
  }
}

/**
 * Returns the version of a model that applied at a time and has been replaced since. Prices that have dates themselves
 * know more of the past than what the gateway saw.
 */
function versionAt(model: CatalogModel, at: number): ModelVersion | undefined {
  if (model.versions === undefined || model.own || hasDates(model)) return undefined
  const next = model.versions.findIndex(({ from }) => from > at)
  return next < 0 ? undefined : model.versions[Math.max(0, next - 1)]
}

/** Returns the times at which the prices of a model changed, in milliseconds since the epoch. The first of them is 0. */
export function changesOf(model: CatalogModel): readonly number[] {
  const days = toDated(model.prices).flatMap(({ constraint }) =>
    constraint?.type === "start_date" ? [Date.parse(constraint.start_date)] : [],
  )
  const seen = hasDates(model) || model.own ? [] : (model.versions ?? []).map(({ from }) => from)
  return [0, ...days, ...seen]
}

function hasDates({ prices }: CatalogModel): boolean {
  return toDated(prices).some(({ constraint }) => constraint?.type === "start_date")
}

function toDated(prices: CatalogModel["prices"]): readonly DatedPrices[] {
  return Array.isArray(prices) ? (prices as readonly DatedPrices[]) : [{ prices: prices as CatalogPrices }]
}

function toDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** Fees that no reading reports. */
const UNMETERED: Readonly<Record<string, string>> = createTable({
  requests_kcount: "a fee per request",
  output_citation_mtok: "a fee for citations",
  input_text_messages_kcount: "a fee per message",
})

/** Returns which rates may be wrong: those that are said to be, or all of a model whose origin has no date. */
function unsureOf(model: CatalogModel, prices: CatalogPrices, unsure: Row["unsure"]): Pick<Row, "unsure"> {
  const doubt = model.origin && doubtOfOrigin(`the price of ${model.id}`, model.origin)
  if (doubt === undefined) return unsure ? { unsure } : {}
  const { base } = toRates(prices)
  return { unsure: Object.fromEntries(Object.keys(base).map((name) => [name, doubt])) }
}

/** The last constraint that holds decides. Daily hours that are listed after a day apply from that day on. */
function pricesAt(
  model: CatalogModel,
  dated: readonly DatedPrices[],
  at: number,
): { readonly prices: CatalogPrices; readonly since: string | undefined; readonly unsure: Row["unsure"] } {
  let current: DatedPrices = dated[0] ?? { prices: {} }
  let since: string | undefined
  let hasBegun = true
  for (const candidate of dated) {
    const { constraint } = candidate
    if (constraint === undefined) current = candidate
    else if (constraint.type === "start_date") {
      hasBegun = at >= Date.parse(constraint.start_date)
      if (hasBegun) {
        current = candidate
        since = constraint.start_date
      }
    } else if (hasBegun && isInWindow(constraint, at) && !isDeepseekWeekend(model, at)) current = candidate
  }
  return { prices: current.prices, since, unsure: current.unsure }
}

const DAY_MS = 86_400_000

function isInWindow(window: { readonly start_time: string; readonly end_time: string }, at: number): boolean {
  const start = Date.parse(`1970-01-01T${window.start_time}`)
  const end = Date.parse(`1970-01-01T${window.end_time}`)
  const now = at % DAY_MS
  return start <= end ? now >= start && now < end : now >= start || now < end
}

/** Since 2026-08-23, DeepSeek V4 has no peak hours on Saturdays and Sundays in Beijing (UTC+8). */
function isDeepseekWeekend(model: CatalogModel, at: number): boolean {
  if (!model.id.startsWith("deepseek-v4") || at < Date.parse("2026-08-22T16:00:00Z")) return false
  const day = new Date(at + 8 * 3_600_000).getUTCDay()
  return day === 0 || day === 6
}

/** The names of the rates of tokens in the catalog. */
export const PER_MILLION: Readonly<Record<string, RateName>> = createTable({
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
})

const PER_PIECE: Readonly<Record<string, { readonly name: RateName; readonly pieces: number }>> = createTable({
  web_searches_kcount: { name: "webSearches", pieces: 1000 },
  storage_searches_kcount: { name: "fileSearches", pieces: 1000 },
  audio_hours: { name: "audioSeconds", pieces: 3600 },
  input_audio_hours: { name: "audioSeconds", pieces: 3600 },
  input_document_kpages: { name: "pages", pieces: 1000 },
  characters_mcount: { name: "characters", pieces: 1_000_000 },
  images_count: { name: "images", pieces: 1 },
})

/** The prices per piece that depend on the kind of the piece. Ours have the name of the rate already. */
const PER_KIND: Readonly<Record<string, { readonly name: string; readonly pieces: number }>> = createTable({
  input_annotated_document_kpages: { name: "pages/annotated", pieces: 1000 },
})

export function toRates(prices: CatalogPrices): Pick<Row, "base" | "kinds" | "tiers"> {
  const base: { [K in RateName]?: string } = {}
  const kinds = toKindRates(prices)
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
  return {
    base,
    ...(kinds ? { kinds } : {}),
    tiers: ascending.map(([above, rates]) => ({ above, rates: rates as Rates })),
  }
}

function toKindRates(prices: CatalogPrices): KindRates | undefined {
  let kinds: Record<string, string> | undefined
  for (const [key, price] of Object.entries(prices)) {
    const kind = PER_KIND[key] ?? (key.includes("/") ? { name: key, pieces: 1 } : undefined)
    if (!kind || typeof price !== "number") continue
    kinds ??= {}
    kinds[kind.name] = formatDecimal(divide(fromNumber(price), fromNumber(kind.pieces)))
  }
  return kinds
}

function plain(value: number): string {
  return formatDecimal(fromNumber(value))
}
