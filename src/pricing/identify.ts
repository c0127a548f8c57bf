import { createTable } from "../core/table.ts"
import type { Catalog } from "./catalog-model.ts"
import type { PriceBookOptions } from "./options.ts"

/** Common names of providers, and their id in the catalog. */
const PROVIDER_ALIASES: Readonly<Record<string, string>> = createTable({
  chatgpt: "openai",
  gemini: "google",
  "google-ai": "google",
  "google-gemini": "google",
  "google-vertex": "google",
  vertex: "google",
  "vertex-ai": "google",
  xai: "x-ai",
  grok: "x-ai",
  "azure-openai": "azure",
  bedrock: "aws",
  "amazon-bedrock": "aws",
  mistralai: "mistral",
  moonshot: "moonshotai",
  "moonshot-ai": "moonshotai",
  "together-ai": "together",
  "fireworks-ai": "fireworks",
  "z-ai": "zai",
  "z.ai": "zai",
})

/** The vendors of llm-prices.com, and their id in the catalog. */
export const VENDORS: Readonly<Record<string, string>> = createTable({
  amazon: "aws",
  anthropic: "anthropic",
  deepseek: "deepseek",
  google: "google",
  minimax: "minimax",
  mistral: "mistral",
  "moonshot-ai": "moonshotai",
  openai: "openai",
  xai: "x-ai",
  "z.ai": "zai",
})

/** Addresses of Bedrock that the catalog does not know: Mantle, FIPS and endpoints of a network. */
const BEDROCK =
  /^https:\/\/(?:[a-z0-9-]+\.)?bedrock-(?:runtime|mantle)(?:-fips)?\.[a-z0-9-]+\.(?:vpce\.)?(?:amazonaws\.com|api\.aws)/i

/** What the settings say about configured providers, by name. */
export type Identities = Pick<PriceBookOptions, "baseUrls" | "likes">

/**
 * Returns the id of the catalog's provider whose prices hold for a configured provider. The operator may have said it
 * (`like`). Otherwise a known host decides, because its owner sends the bill, and then the name, if it is known. Otherwise
 * the result is undefined.
 */
export function identifyProvider(catalog: Catalog, name: string, { baseUrls, likes }: Identities): string | undefined {
  const like = likes?.[name]
  if (like !== undefined) return toProviderId(like)
  const baseUrl = baseUrls?.[name]
  if (baseUrl !== undefined) {
    if (BEDROCK.test(baseUrl)) return "aws"
    for (const provider of catalog.values()) {
      if (new RegExp(`^(?:${provider.api_pattern})`, "i").test(baseUrl)) return provider.id
    }
  }
  const id = toProviderId(name)
  return catalog.has(id) ? id : undefined
}

/** Returns the catalog's id of a provider with a common name, or else the name in lower case. */
export function toProviderId(name: string): string {
  const wanted = name.toLowerCase()
  return PROVIDER_ALIASES[wanted] ?? wanted
}
