import type { Dialect, Format, Provider } from "./_dialect.ts"
import { anthropic } from "./anthropic/index.ts"
import { gemini } from "./gemini/index.ts"
import { openai } from "./openai/index.ts"

/** The APIs that we speak. */
export const DIALECTS: Readonly<Record<Format, Dialect>> = { openai, anthropic, gemini }

/** The providers that need no configuration. */
export const BUILT_IN_PROVIDERS: Readonly<Record<string, Provider>> = {
  openai: { name: "openai", format: "openai", baseUrl: "https://api.openai.com" },
  anthropic: { name: "anthropic", format: "anthropic", baseUrl: "https://api.anthropic.com" },
  gemini: { name: "gemini", format: "gemini", baseUrl: "https://generativelanguage.googleapis.com" },
}
