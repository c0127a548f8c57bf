import type { Rates } from "../core/cost.ts"
import { LLM_PRICES_IDS, MODEL_ALIASES } from "./aliases.ts"
import { bundledRow } from "./bundled.ts"
import type { PriceBookOptions } from "./catalog.ts"
import { feesOf } from "./fees.ts"
import { identifyProvider } from "./identify.ts"
import type { LlmPrices } from "./llm-prices.ts"
import { type Catalogue, findModel, type Match, spellingsOf } from "./match.ts"
import { type Merged, mergeRows } from "./merge.ts"
import type { Row } from "./row.ts"

/** What the sources say of a model at a provider, and what was made of it. */
export type Found =
  | {
      readonly kind: "found"
      readonly billedBy: string | undefined
      readonly isUsers: boolean
      readonly how: Match["how"]
      /** The provider resells the model and is billed as its maker lists it. */
      readonly isResold: boolean
      readonly rows: readonly Row[]
      /** Rows that were not used, and why. */
      readonly setAside: readonly { readonly row: Row; readonly reason: string }[]
      readonly merged: Merged
      readonly doubts: readonly string[]
    }
  | {
      readonly kind: "unknown"
      readonly billedBy: string | undefined
      readonly isUsers: false
      readonly reason: string
    }

export interface Sources {
  readonly catalogue: Catalogue
  readonly file: ReadonlyMap<string, Row>
  readonly aliases: ReadonlyMap<string, string>
  readonly options: Pick<PriceBookOptions, "overrides" | "providerPrices" | "baseUrls">
  readonly remote: () => LlmPrices | undefined
}

/** No model has a longer name. */
const MAX_NAME_LENGTH = 256

export type Lookup = ReturnType<typeof createLookup>

/** Finds the price of a model in all sources. */
export function createLookup({ catalogue, file, aliases, options, remote }: Sources) {
  const overrides = lowerKeys(options.overrides)
  const tables = new Map(Object.entries(options.providerPrices ?? {}).map(([name, table]) => [name, lowerTable(table)]))

  /** The user's own row for a model, by `provider/model` or `model`. */
  const usersRow = (table: ReadonlyMap<string, Rates> | undefined, names: readonly string[]) => {
    for (const name of names) {
      const base = table?.get(name)
      if (base) return { model: name, source: "overrides", date: undefined, base, tiers: [] } satisfies Row
    }
    return undefined
  }

  const findNamed = (provider: string, asked: string, at: number): Found | undefined => {
    if (asked.length > MAX_NAME_LENGTH) return undefined
    const billedBy = identifyProvider(catalogue, provider, options.baseUrls?.[provider])
    const name = provider.toLowerCase()
    const lower = asked.trim().toLowerCase()
    const aliased = aliases.get(`${name}/${lower}`) ?? aliases.get(lower) ?? MODEL_ALIASES[billedBy ?? ""]?.[lower]
    const names = spellingsOf(billedBy ?? name, asked)
    const all = aliased === undefined ? names : [...spellingsOf(billedBy ?? name, aliased), ...names]

    const rows: Row[] = []
    const table = tables.get(provider)
    const qualified = all.flatMap((each) => [`${name}/${each}`, ...(billedBy ? [`${billedBy}/${each}`] : []), each])
    const own = usersRow(overrides, qualified) ?? usersRow(table, qualified)
    if (own) rows.push(own)
    const filed = qualified.map((each) => file.get(each)).find((row) => row !== undefined)
    if (filed) rows.push(filed)

    const match = billedBy === undefined ? undefined : findModel(catalogue, billedBy, all)
    const bundled = match && bundledRow(match.model, at)
    const listed = billedBy === undefined ? undefined : findListed(remote(), match?.owner ?? billedBy, match, all, at)
    const aside = listed && bundled ? whyAside(listed.day, bundled, at) : undefined
    if (listed && aside === undefined) rows.push(listed.row)
    if (bundled && Object.keys(bundled.row.base).length > 0) rows.push(bundled.row)
    if (rows.length === 0) return undefined
    const fees = feesOf(billedBy ?? "")
    const owner = match?.owner ?? billedBy ?? name
    const model = match?.model.id ?? rows[0]?.model ?? asked
    const how = own || filed ? "exact" : (match?.how ?? "exact")
    return {
      kind: "found",
      billedBy,
      isUsers: own !== undefined,
      how,
      isResold: match !== undefined && match.owner !== billedBy,
      rows,
      setAside: listed && aside !== undefined ? [{ row: listed.row, reason: aside }] : [],
      merged: mergeRows(fees ? [...rows, fees] : rows, { model, owner }),
      doubts: [
        ...(how === "undated" ? [`${asked} has no price of its own: priced as ${model}`] : []),
        ...(own || filed ? [] : (bundled?.beside ?? []).map((what) => `${what} of ${model} is not in the sum`)),
      ],
    }
  }

  const find = (of: {
    readonly provider: string
    readonly model: string | undefined
    readonly requestedModel: string | undefined
    readonly at: number
  }): Found => {
    const answered = of.model === undefined ? undefined : findNamed(of.provider, of.model, of.at)
    const asked =
      answered !== undefined || of.requestedModel === undefined
        ? undefined
        : findNamed(of.provider, of.requestedModel, of.at)
    if (answered) return answered
    if (asked?.kind === "found") {
      const doubt = `no price for ${shortened(of.model ?? "")}, which answered: priced as ${of.requestedModel}, which was asked`
      return of.model === undefined ? asked : { ...asked, doubts: [...asked.doubts, doubt] }
    }
    const billedBy = identifyProvider(catalogue, of.provider, options.baseUrls?.[of.provider])
    const name = of.model ?? of.requestedModel
    const reason =
      name === undefined
        ? "the answer and the request name no model"
        : `no price for ${shortened(name)} at ${of.provider}`
    return { kind: "unknown", billedBy, isUsers: false, reason }
  }

  return {
    find,
    findNamed,
    isFree: (provider: string) => options.providerPrices?.[provider] === "free",
  }
}

/** Why the list, which knows today's flat prices only, is not asked about a model that the catalogue knows better. */
function whyAside(day: string, bundled: ReturnType<typeof bundledRow>, at: number): string | undefined {
  if (bundled.varies) return "the price depends on the hour"
  if (at < Date.parse(day)) return `the list is of ${day}, after the request`
  return bundled.since !== undefined && bundled.since > day
    ? `the price changed on ${bundled.since}, after the list`
    : undefined
}

function findListed(
  list: LlmPrices | undefined,
  owner: string,
  match: Match | undefined,
  names: readonly string[],
  at: number,
): { readonly row: Row; readonly day: string } | undefined {
  if (list === undefined) return undefined
  const spelled = match && LLM_PRICES_IDS[`${match.owner}/${match.model.id}`]
  const candidates = [...names, ...(match ? [match.model.id] : []), ...(spelled ? [spelled] : [])]
  for (const id of candidates) {
    const row = list.find(owner, id, at)
    if (row) return { row, day: list.day }
  }
  return undefined
}

function shortened(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name
}

function lowerKeys(table: Readonly<Record<string, Rates>> | undefined): ReadonlyMap<string, Rates> {
  return new Map(Object.entries(table ?? {}).map(([name, rates]) => [name.toLowerCase(), rates]))
}

function lowerTable(table: "free" | Readonly<Record<string, Rates>>): ReadonlyMap<string, Rates> | undefined {
  return table === "free" ? undefined : lowerKeys(table)
}
