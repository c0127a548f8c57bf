import { LLM_PRICES_IDS, MODEL_ALIASES } from "./aliases.ts"
import { type BundledRow, bundledRow } from "./bundled.ts"
import type { Catalog } from "./catalog-model.ts"
import { feesOf } from "./fees.ts"
import { identifyProvider } from "./identify.ts"
import type { LlmPrices } from "./llm-prices.ts"
import { findModel, type Match, spellingsOf } from "./match.ts"
import { type Merged, mergeRows } from "./merge.ts"
import type { PriceBookOptions } from "./options.ts"
import type { Row } from "./row.ts"
import type { UserPrices } from "./user-prices.ts"

/** Everything that prices are looked up in. */
export interface Sources {
  readonly catalog: Catalog
  readonly user: UserPrices
  /** The user's model names: the model by `name` or `provider/name`, in lower case. */
  readonly aliases: ReadonlyMap<string, string>
  readonly baseUrls: PriceBookOptions["baseUrls"]
  /** Returns the current list of llm-prices.com, if there is one. */
  readonly remote: () => LlmPrices | undefined
}

export interface Lookup {
  /** Finds the price of the model that answered, or else of the model that was requested. */
  find(question: LookupQuestion): LookupResult
  /** Finds the price of a model by name at a configured provider; undefined if no source has one. */
  findNamed(provider: string, name: string, at: number): FoundPrice | undefined
}

export interface LookupQuestion {
  readonly provider: string
  /** The model that answered; undefined if the answer named none. */
  readonly model: string | undefined
  readonly requestedModel: string | undefined
  /** The time whose prices apply, in milliseconds since the epoch. */
  readonly at: number
}

type LookupResult =
  | FoundPrice
  | {
      readonly kind: "unknown"
      readonly billedBy: string | undefined
      readonly isOverridden: false
      readonly reason: string
    }

/** The rows of all sources for a model at a provider, and the price that was merged from them. */
interface FoundPrice {
  readonly kind: "found"
  /** The id of the catalog's provider that sends the bill, if it is known. */
  readonly billedBy: string | undefined
  /** The user has configured rates for the model. */
  readonly isOverridden: boolean
  readonly how: Match["how"]
  /** The provider resells the model, and bills what the maker of the model lists. */
  readonly isResold: boolean
  /** The rows that were used, in the order of their priority. */
  readonly rows: readonly Row[]
  /** The rows that were not used, with the reason. */
  readonly setAside: readonly { readonly row: Row; readonly reason: string }[]
  readonly merged: Merged
  /** Reasons why the price may be wrong. */
  readonly doubts: readonly string[]
}

/** No model has a longer name. */
const MAX_NAME_LENGTH = 256

export function createLookup(sources: Sources): Lookup {
  const findNamed: Lookup["findNamed"] = (provider, name, at) =>
    name.length > MAX_NAME_LENGTH ? undefined : findPrice(sources, toAsked(sources, provider, name), at)

  return {
    findNamed,
    find({ provider, model, requestedModel, at }) {
      const answered = model === undefined ? undefined : findNamed(provider, model, at)
      if (answered) return answered
      const requested = requestedModel === undefined ? undefined : findNamed(provider, requestedModel, at)
      if (requested) {
        const doubt = `no price for ${shortened(model ?? "")}, which answered: priced as ${requestedModel}, which was asked`
        return model === undefined ? requested : { ...requested, doubts: [...requested.doubts, doubt] }
      }
      const billedBy = identifyProvider(sources.catalog, provider, sources.baseUrls?.[provider])
      const name = model ?? requestedModel
      const reason =
        name === undefined
          ? "the answer and the request name no model"
          : `no price for ${shortened(name)} at ${provider}`
      return { kind: "unknown", billedBy, isOverridden: false, reason }
    },
  }
}

/** A model's name, and what it can stand for. */
interface Asked {
  readonly provider: string
  readonly billedBy: string | undefined
  readonly name: string
  /** The spellings of the name and of its alias, in lower case. Those of the alias come first. */
  readonly spellings: readonly string[]
}

function toAsked({ catalog, aliases, baseUrls }: Sources, provider: string, name: string): Asked {
  const billedBy = identifyProvider(catalog, provider, baseUrls?.[provider])
  const owner = billedBy ?? provider.toLowerCase()
  const lower = name.trim().toLowerCase()
  const alias =
    aliases.get(`${provider.toLowerCase()}/${lower}`) ?? aliases.get(lower) ?? MODEL_ALIASES[billedBy ?? ""]?.[lower]
  const own = spellingsOf(owner, name)
  return {
    provider,
    billedBy,
    name,
    spellings: alias === undefined ? own : [...spellingsOf(owner, alias), ...own],
  }
}

function findPrice({ catalog, user, remote }: Sources, asked: Asked, at: number): FoundPrice | undefined {
  const { provider, billedBy, spellings } = asked
  const { own, filed } = user.find(provider, withProviders(asked))
  const match = billedBy === undefined ? undefined : findModel(catalog, billedBy, spellings)
  const bundled = match && bundledRow(match.model, at)
  const listed = billedBy === undefined ? undefined : findListed(remote(), match, { owner: billedBy, spellings, at })
  const reason = listed && bundled ? whyAside(listed.day, bundled, at) : undefined

  const rows = [
    own,
    filed,
    reason === undefined ? listed?.row : undefined,
    bundled && Object.keys(bundled.row.base).length > 0 ? bundled.row : undefined,
  ].filter((row) => row !== undefined)
  if (rows.length === 0) return undefined

  const fees = feesOf(billedBy ?? "")
  const model = match?.model.id ?? rows[0]?.model ?? asked.name
  const isUsers = own !== undefined || filed !== undefined
  const how = isUsers ? "exact" : (match?.how ?? "exact")
  const unmetered = isUsers ? [] : (bundled?.unmetered ?? [])
  return {
    kind: "found",
    billedBy,
    isOverridden: own !== undefined,
    how,
    isResold: match !== undefined && match.owner !== billedBy,
    rows,
    setAside: listed && reason !== undefined ? [{ row: listed.row, reason }] : [],
    merged: mergeRows(fees ? [...rows, fees] : rows, {
      model,
      owner: match?.owner ?? billedBy ?? provider.toLowerCase(),
    }),
    doubts: [
      ...(how === "undated" ? [`${asked.name} has no price of its own: priced as ${model}`] : []),
      ...unmetered.map((fee) => `${fee} of ${model} is not in the sum`),
    ],
  }
}

/** The spellings, each with the configured provider, with the provider that sends the bill, and alone. */
function withProviders({ provider, billedBy, spellings }: Asked): readonly string[] {
  const name = provider.toLowerCase()
  return spellings.flatMap((each) => [`${name}/${each}`, ...(billedBy ? [`${billedBy}/${each}`] : []), each])
}

/** Returns why the list, which has only the flat prices of its day, is not used where the catalog has more. */
function whyAside(day: string, bundled: BundledRow, at: number): string | undefined {
  if (bundled.varies) return "the price depends on the hour"
  if (at < Date.parse(day)) return `the list is of ${day}, after the request`
  return bundled.since !== undefined && bundled.since > day
    ? `the price changed on ${bundled.since}, after the list`
    : undefined
}

/** Finds the row of a model in the list of llm-prices.com, by each of its spellings there. */
function findListed(
  list: LlmPrices | undefined,
  match: Match | undefined,
  asked: { readonly owner: string; readonly spellings: readonly string[]; readonly at: number },
): { readonly row: Row; readonly day: string } | undefined {
  if (list === undefined) return undefined
  const listedId = match && LLM_PRICES_IDS[`${match.owner}/${match.model.id}`]
  const ids = [...asked.spellings, ...(match ? [match.model.id] : []), ...(listedId ? [listedId] : [])]
  for (const id of ids) {
    const row = list.find(match?.owner ?? asked.owner, id, asked.at)
    if (row) return { row, day: list.day }
  }
  return undefined
}

function shortened(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name
}
