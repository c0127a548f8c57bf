import { discounts } from "./prices.ts"
import type { ProviderSettings, Setting } from "./settings.ts"
import { oneOf, text, type ValueParser, webAddress } from "./value-parsers.ts"

/**
 * The facts about providers that the settings need. The caller of `loadSettings` passes them in, because `config` does
 * not import `providers`.
 */
export interface ProviderCatalog {
  /** The names of the dialects that a provider can use. */
  readonly formats: readonly string[]
  /** The providers that need no configuration, by name. */
  readonly builtIn: Readonly<Record<string, ProviderSettings>>
  /** Names that select a surface of a built-in provider, so that no configured provider can have them. */
  readonly reservedNames: readonly string[]
}

/** The settings of each provider, under `providers.NAME`. */
export const PROVIDER_SETTINGS = {
  base_url: row(webAddress, "base URL of its API, with or without `/v1` at its end"),
  format: row(text, "API that it implements"),
  prices: row(oneOf("free"), "`free` if requests to it cost nothing; for prices see `pricing.overrides`"),
  discount: row(
    discounts,
    "percentage that it takes off its list prices, such as `10%`; your own prices stay as they are; built-in providers have this setting too",
  ),
  billing: row(
    oneOf("api", "subscription"),
    "`subscription` if a flat fee pays for all its tokens, so that their price is not added to the bill; `api` if each token is billed, even with the login of a subscription; default: the credential decides; built-in providers have this setting too",
  ),
} as const

/** Returns the same settings with the formats of the catalog. */
export function toProviderSettings({ formats }: ProviderCatalog): Readonly<Record<string, Setting<unknown>>> {
  const names = formats.map((name) => `\`${name}\``)
  const listed = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`
  return { ...PROVIDER_SETTINGS, format: row(oneOf(...formats), `${PROVIDER_SETTINGS.format.doc}: ${listed}`) }
}

/** Returns what is wrong with the name of a provider, or undefined. */
export function findNameProblem(name: string, { reservedNames }: ProviderCatalog): string | undefined {
  if (reservedNames.includes(name)) {
    return "this name is reserved: it selects the OpenAI-compatible API of a built-in provider; choose another name"
  }
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name)) return undefined
  return "expected a provider name of lower-case letters, digits, - and _ (at most 63)"
}

/** Returns the built-in and the configured providers. Calls `reject` for a provider that lacks a setting. */
export function toProviders(
  values: ReadonlyMap<string, unknown>,
  { builtIn, formats }: ProviderCatalog,
  reject: (path: string, why: string) => void,
): Readonly<Record<string, ProviderSettings>> {
  const names = new Set(Object.keys(builtIn))
  for (const path of values.keys()) if (path.startsWith("providers.")) names.add(path.split(".")[1]!)
  const providers: Record<string, ProviderSettings> = {}
  for (const name of names) {
    const settingOf = (key: keyof typeof PROVIDER_SETTINGS) => values.get(`providers.${name}.${key}`)
    const baseUrl = settingOf("base_url") ?? builtIn[name]?.baseUrl
    const format = settingOf("format") ?? builtIn[name]?.format
    if (baseUrl === undefined) reject(`providers.${name}.base_url`, `expected ${webAddress.expected}, got nothing`)
    if (format === undefined) reject(`providers.${name}.format`, `expected ${oneOf(...formats).expected}, got nothing`)
    if (typeof format === "string" && format !== (builtIn[name]?.format ?? format)) {
      reject(
        `providers.${name}.format`,
        `the format of ${name} is ${builtIn[name]?.format}; use another name for another provider`,
      )
    }
    const free = settingOf("prices") === "free" ? ({ prices: "free" } as const) : {}
    const discount = settingOf("discount")
    const reduced = discount === undefined ? {} : { discount }
    const billing = settingOf("billing") ?? builtIn[name]?.billing
    const paid = billing === undefined ? {} : { billing }
    providers[name] = { baseUrl, format, ...free, ...reduced, ...paid } as ProviderSettings
  }
  return providers
}

function row<T>(parser: ValueParser<T, "">, doc: string): Setting<T | undefined, ""> {
  return { parser, initial: undefined, doc, secret: false }
}
