import { createTable } from "../core/table.ts"

/** Names that other products give to providers, and the gateway's own names. */
const NAMES = createTable({
  openai: "openai",
  "text-completion-openai": "openai",
  anthropic: "anthropic",
  anthropic_text: "anthropic",
  claude: "anthropic",
  google: "gemini",
  gemini: "gemini",
  "google-ai-studio": "gemini",
  vertex: "vertex",
  vertex_ai: "vertex",
  vertex_ai_beta: "vertex",
  "google-vertex": "vertex",
  vertexai: "vertex",
  azure: "azure",
  azure_text: "azure",
  azure_ai: "azure",
  "azure-openai": "azure",
  bedrock: "bedrock",
  bedrock_converse: "bedrock",
  "aws-bedrock": "bedrock",
  aws: "bedrock",
  together_ai: "together",
  togetherai: "together",
  fireworks_ai: "fireworks",
  "x-ai": "xai",
  "x.ai": "xai",
})

/** Returns the gateway's name of a provider, in lower case; a name that is not known stays as it is. */
export function toProviderName(name: string): string {
  const lower = name.trim().toLowerCase()
  return NAMES[lower] ?? NAMES[lower.replaceAll(" ", "-")] ?? lower
}

/** The beginnings of model names, and the provider whose models they are. */
const MODELS: readonly (readonly [pattern: RegExp, provider: string])[] = [
  [/^(?:gpt-|o[1-9](?:-|$)|chatgpt-|text-embedding-|dall-e|whisper|tts-|codex)/i, "openai"],
  [/^claude/i, "anthropic"],
  [/^gemini/i, "gemini"],
  [/^(?:anthropic|amazon|meta|mistral|cohere|ai21)\.[a-z]/i, "bedrock"],
  [/^deepseek/i, "deepseek"],
  [/^(?:mistral|codestral|ministral|pixtral)/i, "mistral"],
  [/^grok/i, "xai"],
]

/** Returns the provider whose own models have such a name; undefined if it is not known. */
export function guessProvider(model: string): string | undefined {
  return MODELS.find(([pattern]) => pattern.test(model))?.[1]
}
