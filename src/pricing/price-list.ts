import type { PriceEntry, RateName } from "../core/cost.ts"
import { LLM_PRICES_IDS } from "./aliases.ts"
import type { Catalog } from "./catalog-model.ts"
import { identifyProvider } from "./identify.ts"
import type { Lookup, Sources } from "./lookup.ts"
import { findModel, type Match } from "./match.ts"
import type { Row, SourceName } from "./row.ts"

/** One model in a list of prices, with its rates in USD per million tokens. */
export interface PricedModel {
  readonly provider: string
  readonly model: string
  readonly entry: PriceEntry
}

/** How the price of a model at a provider came about. */
export interface PriceExplanation {
  readonly provider: string
  /** The name that was asked for. */
  readonly asked: string
  readonly how: Match["how"]
  /** The provider resells the model, and bills what the maker of the model lists. */
  readonly isResold: boolean
  readonly entry: PriceEntry
  /** The rows that were used, in the order of their priority. */
  readonly rows: readonly Row[]
  /** The rows that were not used, with the reason. */
  readonly setAside: readonly { readonly row: Row; readonly reason: string }[]
  /** The reasons why some of the rates may be wrong. */
  readonly unsure: { readonly [K in RateName]?: string }
  /** The rates for which a source of lower priority has another value. */
  readonly disagreements: readonly {
    readonly rate: RateName
    readonly taken: string
    readonly from: string
    readonly other: string
    readonly otherFrom: SourceName
  }[]
}

/** Lists models with their prices, and explains prices to people. */
interface PriceList {
  /** Returns the number of models that any source has. */
  count(): number
  /** Returns all models that have a price at the time `at`, of one provider or of all, sorted by name. */
  list(provider: string | undefined, at: number): readonly PricedModel[]
  /** Explains the price of a model, at one provider or at each that has it. */
  explain(provider: string | undefined, asked: string, at: number): readonly PriceExplanation[]
}

/** A model by the id of its provider and its name. The provider is `""` if the model is not bound to one. */
type ModelName = readonly [provider: string, model: string]

interface PriceListOptions {
  /** Returns whether the user has configured a provider of this name. */
  readonly isConfigured: (provider: string) => boolean
  /** Returns a text that differs whenever the prices at the time may have changed. */
  readonly versionOf: (at: number) => string
}

export function createPriceList(
  lookup: Lookup,
  sources: Sources,
  { isConfigured, versionOf }: PriceListOptions,
): PriceList {
  // Merging the sources of all models takes 100 ms, in which the gateway answers nothing else.
  let kept: { readonly version: string; readonly models: readonly PricedModel[] } | undefined
  const listAll = (at: number): readonly PricedModel[] => {
    const version = versionOf(at)
    if (kept?.version === version) return kept.models
    const models = [...listCatalogNames(sources.catalog()), ...listOtherNames(sources, isConfigured)]
      .flatMap(([provider, model]) => {
        const found = lookup.findNamed(provider, model, at)
        return found ? [{ provider, model, entry: found.merged.entry }] : []
      })
      .sort((a, b) => compare(a.provider, b.provider) || compare(a.model, b.model))
    kept = { version, models }
    return models
  }
  return {
    count: () => listCatalogNames(sources.catalog()).length + listOtherNames(sources, isConfigured).length,
    list: (provider, at) => {
      if (provider === undefined) return listAll(at)
      const wanted = identifyProvider(sources.catalog(), provider, sources.identities) ?? provider
      return listAll(at).filter((model) => model.provider === wanted)
    },
    explain: (provider, asked, at) =>
      (provider === undefined ? [...sources.catalog().keys()] : [provider]).flatMap((each) => {
        const found = lookup.findNamed(each, asked, at)
        if (!found) return []
        const { rows, setAside, merged, how, isResold } = found
        const { entry, unsure } = merged
        const disagreements = disagreementsOf(rows)
        return [{ provider: each, asked, how, isResold, rows, setAside, entry, unsure, disagreements }]
      }),
  }
}

function listCatalogNames(catalog: Catalog): readonly ModelName[] {
  return [...catalog.values()].flatMap(({ id, models }) => models.map((model) => [id, model.id] as const))
}

/** Returns the models that are not in the catalog: those of the list, and those that the user has named. */
function listOtherNames(
  { catalog: currentCatalog, user, listed: currentList, litellm }: Sources,
  isConfigured: (provider: string) => boolean,
): readonly ModelName[] {
  const catalog = currentCatalog()
  const aliased = new Set(Object.values(LLM_PRICES_IDS))
  const others = litellm()?.seen() ?? []
  const listed = [...(currentList()?.ids() ?? []), ...others.map(({ provider, model }) => ({ provider, id: model }))]
    .filter(({ provider, id }) => !aliased.has(id) && !findModel(catalog, provider, [id]))
    .map(({ provider, id }) => [provider, id] as const)
  const known = new Set(
    listCatalogNames(catalog).flatMap(([provider, model]) => {
      const name = model.toLowerCase()
      return [name, `${provider}/${name}`]
    }),
  )
  const isProvider = (name: string) => catalog.has(name) || isConfigured(name)
  const named = user
    .names()
    .filter((name) => !known.has(name))
    .map((name) => splitProvider(name, isProvider))
  return [...new Map([...listed, ...named].map((each) => [each.join("/"), each])).values()]
}

function splitProvider(name: string, isProvider: (name: string) => boolean): ModelName {
  const slash = name.indexOf("/")
  const provider = name.slice(0, Math.max(0, slash))
  return slash > 0 && isProvider(provider) ? [provider, name.slice(slash + 1)] : ["", name]
}

function disagreementsOf(rows: readonly Row[]): PriceExplanation["disagreements"] {
  const found: PriceExplanation["disagreements"][number][] = []
  rows.forEach((row, index) => {
    for (const [rate, other] of Object.entries(row.base) as [RateName, string][]) {
      const winner = rows.slice(0, index).find((each) => each.base[rate] !== undefined)
      const taken = winner?.base[rate]
      if (winner && taken !== undefined && taken !== other) {
        found.push({ rate, taken, from: winner.source, other, otherFrom: row.source })
      }
    }
  })
  return found
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
