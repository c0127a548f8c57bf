import { CommandError } from "../core/errors.ts"
import type { Secret } from "../core/provider-credential.ts"

/** A provider of the settings, as far as it decides which credentials fit. */
interface Provider {
  readonly name: string
  readonly format: string
  readonly baseUrl: string
}

/** The owners of the shapes that keys have, with the built-in providers that take such keys. */
const SHAPES = [
  { owner: "Anthropic", shape: /^sk-ant-/, providers: ["anthropic"] },
  { owner: "OpenAI", shape: /^sk-(?:proj|svcacct|admin)-/, providers: ["openai"] },
  { owner: "Google", shape: /^(?:AIza|AQ\.|ya29\.)/, providers: ["gemini", "vertex"] },
  { owner: "Amazon Bedrock", shape: /^(?:ABSK|bedrock-api-key-)/, providers: ["bedrock"] },
  { owner: "OpenRouter", shape: /^sk-or-/, providers: [] },
  { owner: "Groq", shape: /^gsk_/, providers: [] },
  { owner: "xAI", shape: /^xai-/, providers: [] },
] as const
/** The providers that are built in. Any other one is the operator's own, whose keys may have any shape. */
const BUILT_IN: ReadonlySet<string> = new Set(["openai", "anthropic", "gemini", "azure", "vertex", "bedrock"])

/**
 * Checks that a secret can be one of a provider.
 *
 * @throws CommandError that says whose it is; it never contains the secret
 */
export function checkFit(secret: Secret, { name, format, baseUrl }: Provider): void {
  const { hostname } = new URL(baseUrl)
  if (secret.kind === "aws" && format !== "bedrock" && !/(?:^|\.)amazonaws\.com(?:\.cn)?$/.test(hostname)) {
    throw new CommandError(`an access key of AWS does not fit ${name}: it is for Amazon Bedrock`)
  }
  if (secret.kind === "google" && format !== "gemini" && !/(?:^|\.)googleapis\.com$/.test(hostname)) {
    throw new CommandError(`a service account of Google does not fit ${name}: it is for Vertex AI`)
  }
  if (secret.kind !== "key" || !BUILT_IN.has(name)) return
  const found = SHAPES.find(({ shape }) => shape.test(secret.secret))
  if (found === undefined || (found.providers as readonly string[]).includes(name)) return
  throw new CommandError(`this is a key of ${found.owner}, not of ${name}: name its own provider, or copy another key`)
}
