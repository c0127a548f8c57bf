import { createTable } from "../core/table.ts"
import type { Catalog, CatalogModel, CatalogProvider, MatchRule } from "./catalog-model.ts"
import { CLOUD_SPELLINGS } from "./cloud-names.ts"

/** A model of the catalog, and how its name was matched. */
export interface Match {
  readonly model: CatalogModel
  /** The id of the provider that lists the model. For a resold model, this is its maker. */
  readonly owner: string
  /** The spelling that matched, after aliases, prefixes and forms of dates. */
  readonly name: string
  /** `undated`: the dated snapshot has no price of its own, so that of the name without the date is used. */
  readonly how: "exact" | "rule" | "undated"
}

/** Finds the model with one of `names` at a provider: by its exact name, by a rule of the catalog, or without its date. */
export function findModel(catalog: Catalog, provider: string, names: readonly string[]): Match | undefined {
  const owners = ownersOf(catalog, provider)
  for (const name of names) {
    for (const owner of owners) {
      const exact = owner.models.find((model) => model.id.toLowerCase() === name || hasLiteral(model.match, name))
      if (exact) return { model: exact, owner: owner.id, name, how: "exact" }
    }
    for (const owner of owners) {
      const ruled = owner.models.find((model) => model.match !== undefined && fits(model.match, name))
      if (ruled) return { model: ruled, owner: owner.id, name, how: "rule" }
    }
  }
  for (const name of names) {
    const undated = withoutDate(name)
    if (undated === undefined) continue
    for (const owner of owners) {
      const model = owner.models.find((each) => each.id.toLowerCase() === undated || hasLiteral(each.match, undated))
      if (model) return { model, owner: owner.id, name, how: "undated" }
    }
  }
  return undefined
}

function ownersOf(catalog: Catalog, provider: string): readonly CatalogProvider[] {
  const first = catalog.get(provider)
  if (!first) return []
  const others = (first.fallback_model_providers ?? []).map((id) => catalog.get(id))
  return [first, ...others.filter((each) => each !== undefined)]
}

const OWN_PREFIXES: Readonly<Record<string, readonly string[]>> = createTable({
  google: ["google/", "gemini/"],
  "x-ai": ["x-ai/", "xai/"],
  openai: ["openai/"],
  anthropic: ["anthropic/"],
  mistral: ["mistralai/", "mistral/"],
  deepseek: ["deepseek/", "deepseek-ai/"],
})

/** Returns the spellings under which a catalog may list a name, in lower case. The given spelling is the first. */
export function spellingsOf(provider: string, name: string): readonly string[] {
  const given = name.trim().toLowerCase()
  const spellings = new Set([given])
  const bare = given.replace(/^(?:projects\/[^/]+\/locations\/[^/]+\/)?(?:publishers\/[^/]+\/)?models\//, "")
  spellings.add(bare)
  for (const prefix of OWN_PREFIXES[provider] ?? [])
    if (bare.startsWith(prefix)) spellings.add(bare.slice(prefix.length))
  for (const each of CLOUD_SPELLINGS[provider]?.(bare) ?? []) spellings.add(each)
  for (const each of [...spellings]) {
    // Answers of legacy completions name the build: `gpt-3.5-turbo-instruct:20230824-v2`.
    spellings.add(each.replace(/:\d{4}-?\d{2}-?\d{2}-v\d+$/, ""))
    // A fine-tuned model, such as `ft:gpt-4o-mini-2024-07-18:org::id`, is listed by its base model.
    if (each.startsWith("ft:")) spellings.add(each.split(":").slice(0, 2).join(":"))
  }
  for (const each of [...spellings]) {
    spellings.add(each.replace(/@(?=\d{8}$)/, "-"))
    spellings.add(each.replace(/[-@](20\d\d)(\d\d)(\d\d)$/, "-$1-$2-$3"))
    spellings.add(each.replace(/-(20\d\d)-(\d\d)-(\d\d)$/, "-$1$2$3"))
  }
  return [...spellings]
}

/** Returns the name of a dated snapshot without its date; undefined if it has none. */
export function withoutDate(name: string): string | undefined {
  const undated = name.replace(/[-@](?:20\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01]))$/, "")
  return undated === name || name.startsWith("ft:") ? undefined : undated
}

function hasLiteral(rule: MatchRule | undefined, name: string): boolean {
  if (rule === undefined) return false
  if ("equals" in rule) return rule.equals.toLowerCase() === name
  return "or" in rule && rule.or.some((each) => hasLiteral(each, name))
}

/**
 * Returns whether a rule matches a name. A loose rule (`starts_with`, `contains`, …) may only skip what does not change a
 * price: a vendor's path before the literal, and a date, a version or `latest` after it. So `contains gemini-1.5-flash`
 * does not match `gemini-1.5-flash-8b`, which is another model.
 */
function fits(rule: MatchRule, name: string): boolean {
  if ("or" in rule) return rule.or.some((each) => fits(each, name))
  if ("and" in rule)
    return rule.and.every((each) => ("regex" in each ? new RegExp(each.regex).test(name) : fits(each, name)))
  if ("equals" in rule) return rule.equals.toLowerCase() === name
  if ("regex" in rule) {
    const found = new RegExp(rule.regex).exec(name)
    return found !== null && (rule.regex.endsWith("$") || /^\d*$/.test(name.slice(found.index + found[0].length)))
  }
  if ("starts_with" in rule) return fitsAt(name, rule.starts_with.toLowerCase(), 0)
  if ("ends_with" in rule) {
    const literal = rule.ends_with.toLowerCase()
    return name.endsWith(literal) && fitsAt(name, literal, name.length - literal.length)
  }
  const literal = rule.contains.toLowerCase()
  return fitsAt(name, literal, name.indexOf(literal))
}

const AFTER = /^(?:[-@:_](?:\d{2,8}|v\d+|latest|preview|exp|experimental|beta|0))*$/

function fitsAt(name: string, literal: string, index: number): boolean {
  if (index < 0 || !name.startsWith(literal, index)) return false
  const before = name.slice(0, index)
  const after = name.slice(index + literal.length)
  const isOpen = /[-@:/]$/.test(literal)
  // Literals such as `claude-sonnet-4-2025` and `gemini-2.0-flash-0` end inside of a date or a version.
  const isTruncated = /-(?:20\d\d|0)$/.test(literal)
  const rest = isOpen ? `-${after}` : isTruncated ? `-00${after}`.replace(/^-00$/, "") : after
  return (before === "" || /[/.@]$/.test(before)) && AFTER.test(rest === "-" ? "" : rest)
}
