import type { ProviderSettings, Setting } from "./settings.ts"
import { oneOf, type ValueParser, webAddress } from "./value-parsers.ts"

const format = oneOf("openai", "anthropic", "gemini")

/** The settings of each provider, under `providers.NAME`. */
export const PROVIDER_SETTINGS = {
  base_url: row(webAddress, "base URL of its API, without `/v1`"),
  format: row(format, "API that it implements: `openai`, `anthropic` or `gemini`"),
  prices: row(oneOf("free"), "`free` if requests to it cost nothing; for prices see `pricing.overrides`"),
} as const

export const BUILT_IN: Readonly<Record<string, ProviderSettings>> = {
  openai: { baseUrl: "https://api.openai.com", format: "openai" },
  anthropic: { baseUrl: "https://api.anthropic.com", format: "anthropic" },
  gemini: { baseUrl: "https://generativelanguage.googleapis.com", format: "gemini" },
}

/** Names that select the OpenAI-compatible API of a built-in provider. */
const RESERVED = new Set(["gemini-openai", "anthropic-openai"])

/** Returns what is wrong with a provider's name, or undefined. */
export function refuseProviderName(name: string): string | undefined {
  if (RESERVED.has(name))
    return "this name is reserved: it selects the OpenAI-compatible API of a built-in provider; choose another name"
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name)) return undefined
  return "expected a provider name of lower-case letters, digits, - and _ (at most 63)"
}

/** Returns the built-in and the configured providers. Calls `refuse` for a provider that lacks a setting. */
export function toProviders(
  values: ReadonlyMap<string, unknown>,
  refuse: (path: string, why: string) => void,
): Readonly<Record<string, ProviderSettings>> {
  const names = new Set(Object.keys(BUILT_IN))
  for (const path of values.keys()) if (path.startsWith("providers.")) names.add(path.split(".")[1]!)
  const providers: Record<string, ProviderSettings> = {}
  for (const name of names) {
    const said = (key: keyof typeof PROVIDER_SETTINGS) => values.get(`providers.${name}.${key}`)
    const baseUrl = said("base_url") ?? BUILT_IN[name]?.baseUrl
    const speaks = said("format") ?? BUILT_IN[name]?.format
    if (baseUrl === undefined) refuse(`providers.${name}.base_url`, `expected ${webAddress.expected}, got nothing`)
    if (speaks === undefined) refuse(`providers.${name}.format`, `expected ${format.expected}, got nothing`)
    if (typeof speaks === "string" && speaks !== (BUILT_IN[name]?.format ?? speaks)) {
      refuse(
        `providers.${name}.format`,
        `the format of ${name} is ${BUILT_IN[name]?.format}; use another name for another provider`,
      )
    }
    const free = said("prices") === "free" ? ({ prices: "free" } as const) : {}
    providers[name] = { baseUrl, format: speaks, ...free } as ProviderSettings
  }
  return providers
}

function row<T>(parser: ValueParser<T, "">, doc: string): Setting<T | undefined, ""> {
  return { parser, initial: undefined, doc, secret: false }
}
