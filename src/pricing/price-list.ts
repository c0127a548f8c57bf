import type { PriceEntry, RateName } from "../core/cost.ts"
import { LLM_PRICES_IDS } from "./aliases.ts"
import { identifyProvider } from "./identify.ts"
import type { Lookup, Sources } from "./lookup.ts"
import { findModel, type Match } from "./match.ts"
import type { Row, SourceName } from "./row.ts"

/** One model for a list of prices: rates in USD per million tokens. */
export interface PricedModel {
  readonly provider: string
  readonly model: string
  readonly entry: PriceEntry
}

export interface PriceExplanation {
  readonly provider: string
  readonly asked: string
  readonly how: Match["how"]
  /** The provider resells the model and is billed as its maker lists it. */
  readonly isResold: boolean
  readonly entry: PriceEntry
  /** What each source says, the best first. */
  readonly rows: readonly Row[]
  /** Rows that were not used, and why. */
  readonly setAside: readonly { readonly row: Row; readonly reason: string }[]
  readonly unsure: { readonly [K in RateName]?: string }
  /** Rates of which a source with less weight says something else than the one that was taken. */
  readonly disagreements: readonly {
    readonly rate: RateName
    readonly taken: string
    readonly from: string
    readonly other: string
    readonly otherFrom: SourceName
  }[]
}

/** What the book can tell people: its models, and why a price is what it is. */
export function createPriceList(lookup: Lookup, { catalogue, file, options, remote }: Sources) {
  const overrideNames = Object.keys(options.overrides ?? {}).map((name) => name.toLowerCase())
  /** Models that only the list or the user knows: `[provider, model]`, the provider `""` when it is any. */
  const extraNames = (): readonly (readonly [string, string])[] => {
    const spelled = new Set(Object.values(LLM_PRICES_IDS))
    const listed = (remote()?.ids() ?? [])
      .filter(({ provider, id }) => !spelled.has(id) && !findModel(catalogue, provider, [id]))
      .map(({ provider, id }) => [provider, id] as const)
    const own = [...overrideNames, ...file.keys()].filter((name) => !isBundled(name)).map(splitProvider)
    return [...new Map([...listed, ...own].map((each) => [each.join("/"), each])).values()]
  }
  const isBundled = (name: string) =>
    [...catalogue.values()].some(({ id, models }) =>
      models.some((model) => model.id.toLowerCase() === name || `${id}/${model.id.toLowerCase()}` === name),
    )
  const splitProvider = (name: string): readonly [string, string] => {
    const slash = name.indexOf("/")
    const provider = name.slice(0, Math.max(0, slash))
    const isProvider = catalogue.has(provider) || options.providerPrices?.[provider] !== undefined
    return slash > 0 && (isProvider || options.baseUrls?.[provider] !== undefined)
      ? [provider, name.slice(slash + 1)]
      : ["", name]
  }

  return {
    count: () => {
      let bundled = 0
      for (const provider of catalogue.values()) bundled += provider.models.length
      return bundled + extraNames().length
    },
    list: (provider: string | undefined, at: number): readonly PricedModel[] => {
      const wanted = provider && (identifyProvider(catalogue, provider, options.baseUrls?.[provider]) ?? provider)
      const bundled = [...catalogue.values()].flatMap(({ id, models }) =>
        models.map((model) => [id, model.id] as const),
      )
      return [...bundled, ...extraNames()]
        .filter(([owner]) => wanted === undefined || owner === wanted)
        .flatMap(([owner, model]) => {
          const found = lookup.findNamed(owner, model, at)
          return found?.kind === "found" ? [{ provider: owner, model, entry: found.merged.entry }] : []
        })
        .sort((a, b) => compare(a.provider, b.provider) || compare(a.model, b.model))
    },
    explain: (provider: string | undefined, asked: string, at: number): readonly PriceExplanation[] =>
      (provider === undefined ? [...catalogue.keys()] : [provider]).flatMap((each) => {
        const found = lookup.findNamed(each, asked, at)
        if (found?.kind !== "found") return []
        const { rows, setAside, merged, how, isResold } = found
        return [
          {
            provider: each,
            asked,
            how,
            isResold,
            rows,
            setAside,
            entry: merged.entry,
            unsure: merged.unsure,
            disagreements: disagreementsOf(rows),
          },
        ]
      }),
  }
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
