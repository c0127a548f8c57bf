import type { Catalog } from "./catalog-model.ts"

/** Common names of providers, and their id in the catalog. */
const PROVIDER_ALIASES: Readonly<Record<string, string>> = {
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
}

/** The vendors of llm-prices.com, and their id in the catalog. */
export const VENDORS: Readonly<Record<string, string>> = {
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
}

/**
 * Returns the id of the catalog's provider that bills for a configured provider. A known host decides, because its owner
 * sends the bill. Otherwise the name decides if it is known. Otherwise the result is undefined.
 *
 * @param baseUrl the address of the configured provider, if it has one of its own
 */
export function identifyProvider(catalog: Catalog, name: string, baseUrl: string | undefined): string | undefined {
  if (baseUrl !== undefined) {
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
