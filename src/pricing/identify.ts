import type { Catalogue } from "./match.ts"

/** What people call a provider -> what the catalogue calls it. */
const PROVIDER_ALIASES: Readonly<Record<string, string>> = {
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

/** The vendor names of llm-prices.com -> the catalogue's provider. */
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
 * The catalogue's provider behind a configured one. Who owns the host sends the bill, so a known host decides; else
 * the name does if it is a known one; else undefined: a name alone is no reason to guess.
 */
export function identifyProvider(catalogue: Catalogue, name: string, baseUrl: string | undefined): string | undefined {
  if (baseUrl !== undefined) {
    for (const provider of catalogue.values()) {
      if (new RegExp(`^(?:${provider.api_pattern})`, "i").test(baseUrl)) return provider.id
    }
  }
  const wanted = name.toLowerCase()
  const id = PROVIDER_ALIASES[wanted] ?? wanted
  return catalogue.has(id) ? id : undefined
}
