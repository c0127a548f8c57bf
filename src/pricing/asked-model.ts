import { MODEL_ALIASES } from "./aliases.ts"
import type { Catalog } from "./catalog-model.ts"
import { type Identities, identifyProvider } from "./identify.ts"
import { findModel, type Match, spellingsOf, withoutDate } from "./match.ts"

/** Longer names belong to no model. */
export const MAX_NAME_LENGTH = 256

/** A model's name, and what it can stand for. */
export interface Asked {
  readonly provider: string
  readonly billedBy: string | undefined
  readonly name: string
  /** The spellings of the name and of its alias, in lower case. Those of the alias come first. */
  readonly spellings: readonly string[]
  /** The spellings of the requested name, if another model answered. */
  readonly requested: readonly string[]
}

/** The sources that say what a name stands for, as in `Sources`. */
interface NameSources {
  readonly catalog: () => Catalog
  readonly aliases: ReadonlyMap<string, string>
  readonly identities: Identities
}

interface Name {
  readonly provider: string
  readonly name: string
  readonly requested?: string | undefined
}

/** Returns what a name can stand for at a configured provider. */
export function toAsked({ catalog, aliases, identities }: NameSources, { provider, name, requested }: Name): Asked {
  const billedBy = identifyProvider(catalog(), provider, identities)
  const owner = billedBy ?? provider.toLowerCase()
  const lower = name.trim().toLowerCase()
  const own = `${provider.toLowerCase()}/`
  const alias =
    aliases.get(own + lower) ??
    aliases.get(own + lastPartOf(lower)) ??
    aliases.get(lower) ??
    MODEL_ALIASES[billedBy ?? ""]?.[lower]
  const given = spellingsOf(owner, name)
  return {
    provider,
    billedBy,
    name,
    spellings: alias === undefined ? given : [...spellingsOf(owner, alias), ...given],
    requested: requested === undefined || requested.length > MAX_NAME_LENGTH ? [] : spellingsOf(owner, requested),
  }
}

/** Returns the id at the end of an ARN, such as that of an application inference profile, or else the name. */
function lastPartOf(name: string): string {
  return name.startsWith("arn:") ? name.slice(name.lastIndexOf("/") + 1) : name
}

/**
 * Returns the names under which the user may have priced a model, in the order of their priority: the answered name, the
 * model that it is a snapshot of, and the requested name, which can be a deployment. Each stands with the configured
 * provider, with the provider that sends the bill, with the maker of the model, and alone.
 */
export function userNamesOf(catalog: Catalog, asked: Asked, match: Match | undefined): readonly string[] {
  const { provider, billedBy, spellings } = asked
  const owners = new Set([provider.toLowerCase(), ...(billedBy ? [billedBy] : []), ...(match ? [match.owner] : [])])
  const canonical = match ? [match.model.id.toLowerCase()] : []
  const names = new Set([
    ...spellings,
    ...undatedNames(catalog, asked, match),
    ...canonical,
    ...requestedNames(catalog, asked, match),
  ])
  return [...names].flatMap((name) => [...[...owners].map((owner) => `${owner}/${name}`), name])
}

/** Returns the spellings of the requested name, unless it is another model of the catalog than the one that answered. */
function requestedNames(catalog: Catalog, { billedBy, requested }: Asked, match: Match | undefined): readonly string[] {
  const other = match && billedBy !== undefined ? findModel(catalog, billedBy, requested) : undefined
  return other && other.model !== match?.model ? [] : requested
}

/** Returns the spellings without their date. A snapshot that is a model of its own in the catalog has none. */
function undatedNames(catalog: Catalog, { billedBy, spellings }: Asked, match: Match | undefined): readonly string[] {
  const isSame = (name: string) =>
    match === undefined || billedBy === undefined || findModel(catalog, billedBy, [name])?.model === match.model
  return [...new Set(spellings.flatMap((each) => withoutDate(each) ?? []))].filter(isSame)
}
