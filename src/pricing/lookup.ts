import { PRICE_THEN_UNKNOWN } from "../core/cost.ts"
import { truncateText } from "../core/text.ts"
import { LLM_PRICES_IDS } from "./aliases.ts"
import { type Asked, MAX_NAME_LENGTH, toAsked, userNamesOf } from "./asked-model.ts"
import { type BundledRow, bundledRow } from "./bundled.ts"
import type { Catalog } from "./catalog-model.ts"
import { findBedrockRegion } from "./cloud-names.ts"
import { feesOf } from "./fees.ts"
import { type Identities, identifyProvider } from "./identify.ts"
import type { LitellmPrices } from "./litellm.ts"
import type { LlmPrices } from "./llm-prices.ts"
import { findModel, type Match } from "./match.ts"
import { type Merged, mergeRows } from "./merge.ts"
import { pastRow } from "./past-prices.ts"
import type { Row } from "./row.ts"
import type { UserPrices } from "./user-prices.ts"

/** Everything that prices are looked up in. */
export interface Sources {
  readonly catalog: () => Catalog
  readonly user: UserPrices
  /** The user's model names: the model by `name` or `provider/name`, in lower case. */
  readonly aliases: ReadonlyMap<string, string>
  readonly identities: Identities
  /** Returns the current list of llm-prices.com, if there is one. */
  readonly listed: () => LlmPrices | undefined
  /** Returns the current map of LiteLLM, if there is one. */
  readonly litellm: () => LitellmPrices | undefined
}

export interface Lookup {
  /** Finds the price of the model that answered, or else of the model that was requested. */
  find(question: LookupQuestion): LookupResult
  /** Finds the price of a model by name at a configured provider; undefined if no source has one. */
  findNamed(provider: string, name: string, at: number): FoundPrice | undefined
  /** Returns the sources that give rates to `find`'s price, and know them only from after the time of the question. */
  sourcesOfLater(question: LookupQuestion): readonly string[]
  /** Finds what a name stands for in each source. */
  identify(provider: string, name: string): Identified
}

/** A name of a model at a provider, and what it stands for. */
interface Identified {
  /** The id of the catalog's provider that lists the model. */
  readonly owner: string | undefined
  readonly match: Match | undefined
  /** The names by which lists other than the catalog may have the model. */
  readonly listNames: readonly string[]
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
  /** The user has configured or set rates for the model. */
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

export function createLookup(sources: Sources): Lookup {
  const findNamed = (provider: string, name: string, at: number, requested?: string) =>
    name.length > MAX_NAME_LENGTH ? undefined : findPrice(sources, toAsked(sources, { provider, name, requested }), at)

  const find = ({ provider, model, requestedModel, at }: LookupQuestion): LookupResult => {
    const answered = model === undefined ? undefined : findNamed(provider, model, at, requestedModel)
    if (answered) return answered
    const requested = requestedModel === undefined ? undefined : findNamed(provider, requestedModel, at)
    if (requested) {
      const doubt = `no price for ${shortened(model ?? "")}, which answered: priced as ${requestedModel}, which was asked`
      return model === undefined ? requested : { ...requested, doubts: [...requested.doubts, doubt] }
    }
    const billedBy = identifyProvider(sources.catalog(), provider, sources.identities)
    const name = model ?? requestedModel
    const reason =
      name === undefined ? "the answer and the request name no model" : `no price for ${shortened(name)} at ${provider}`
    return { kind: "unknown", billedBy, isOverridden: false, reason }
  }
  return {
    find,
    findNamed: (provider, name, at) => findNamed(provider, name, at),
    sourcesOfLater: (question) => {
      const found = find(question)
      return found.kind === "found" ? found.rows.filter(({ isLater }) => isLater).map(({ source }) => source) : []
    },
    identify: (provider, name) => identify(sources, toAsked(sources, { provider, name })),
  }
}

const NO_ROWS = { own: undefined, stored: undefined, filed: undefined }

function identify({ catalog }: Pick<Sources, "catalog">, { billedBy, spellings }: Asked): Identified {
  const match = billedBy === undefined ? undefined : findModel(catalog(), billedBy, spellings)
  const listedId = match && LLM_PRICES_IDS[`${match.owner}/${match.model.id}`]
  const listNames = [...spellings, ...(match ? [match.model.id] : []), ...(listedId ? [listedId] : [])]
  return { owner: match?.owner ?? billedBy, match, listNames: [...new Set(listNames)] }
}

function findPrice(sources: Sources, asked: Asked, at: number): FoundPrice | undefined {
  const { provider, billedBy } = asked
  const identified = identify(sources, asked)
  const { match } = identified
  const { user } = sources
  const users = user.isEmpty() ? NO_ROWS : user.find(provider, userNamesOf(sources.catalog(), asked, match), at)
  const { own, stored, filed } = users
  const past = match && pastRow(match, at)
  const bundled = match && (past ?? bundledRow(match.model, at))
  const listed = past ? undefined : findListed(sources.listed(), identified, at)
  const reason = listed && bundled ? whyAside(listed, bundled) : undefined
  const isDisputed = listed !== undefined && bundled !== undefined && isUncertainThen(listed, bundled)
  const { owner, listNames } = identified

  const rows = [
    own,
    stored,
    filed,
    reason === undefined ? listed?.row : undefined,
    bundled && (bundled.row.kinds || Object.keys(bundled.row.base).length > 0) ? bundled.row : undefined,
    owner === undefined || past ? undefined : sources.litellm()?.find(owner, listNames, at),
  ].filter((row) => row !== undefined)
  if (rows.length === 0) return undefined

  const model = match?.model.id ?? rows[0]?.model ?? asked.name
  const fees = feesOf(billedBy ?? "", model)
  const isUsers = Object.values(users).some((row) => row !== undefined)
  const how = isUsers ? "exact" : (match?.how ?? "exact")
  const unmetered = isUsers ? [] : (bundled?.unmetered ?? [])
  return {
    kind: "found",
    billedBy,
    isOverridden: own !== undefined || stored !== undefined,
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
      ...(isDisputed && !isUsers ? [PRICE_THEN_UNKNOWN] : []),
      ...(isUsers || billedBy !== "aws" ? [] : doubtsOfRegion(asked, model, sources.identities)),
    ],
  }
}

/** The regions of Bedrock whose prices the catalog has. The models of Anthropic and OpenAI have rows for the others. */
const LISTED_REGION = /^us(?:-(?:east|west)-\d)?$/
const HAS_REGIONS = /^(?:regional|global|openai)\./

function doubtsOfRegion({ provider, name }: Asked, model: string, { baseUrls }: Identities): readonly string[] {
  const region = findBedrockRegion(name, baseUrls?.[provider])
  if (region === undefined || LISTED_REGION.test(region) || HAS_REGIONS.test(model)) return []
  return [`the price of ${model} in ${region} is not known: that of the United States taken`]
}

/** A row of llm-prices.com, and when the list had it. */
type Listed = ReturnType<LlmPrices["termOf"]> & { readonly row: Row }

/** Returns why the list, which has only flat prices, is not used where the catalog knows more. */
function whyAside({ knownFrom, confirmedUntil }: Listed, bundled: BundledRow): string | undefined {
  if (bundled.varies) return "the price depends on the hour"
  if (knownFrom !== undefined) return `its price is known since ${knownFrom}, after the request`
  return bundled.since !== undefined && bundled.since > confirmedUntil
    ? `the price changed on ${bundled.since}, after the list`
    : undefined
}

/** Returns whether two sources disagree, and neither says whether its price applied at the time of the request. */
function isUncertainThen({ knownFrom, row }: Listed, bundled: BundledRow): boolean {
  if (knownFrom === undefined || bundled.varies || bundled.isDated) return false
  const { input, output } = bundled.row.base
  return row.base.input !== input || row.base.output !== output
}

/** Finds the row of a model in the list of llm-prices.com, by each of its names there. */
function findListed(list: LlmPrices | undefined, { owner, listNames }: Identified, at: number): Listed | undefined {
  if (list === undefined || owner === undefined) return undefined
  for (const name of listNames) {
    const row = list.find(owner, name, at)
    if (row) return { row, ...list.termOf(owner, name, at) }
  }
  return undefined
}

function shortened(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${truncateText(name, MAX_NAME_LENGTH)}…` : name
}
