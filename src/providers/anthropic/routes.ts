import { createOperations, type Routes, type Surface } from "../_routes.ts"

export const CLAIMS: Routes["claims"] = {
  paths: [/^\/v1\/messages(?:[/:?]|$)/],
  signs: [{ header: "anthropic-version" }, { header: "x-api-key" }],
  summary: "/v1/messages (Anthropic)",
}

/** Anthropic has only this one of the OpenAI-compatible paths; its /v1/models and /v1/files are its own. */
export const SURFACES: readonly Surface[] = [
  { format: "openai", path: /^\/v1\/chat\/completions(?:[/:?]|$)/, isOnlyNamed: true },
]

/** The operations whose answers are read in a way of their own. */
type Kind = "count" | "compatible"

/** The operations of Anthropic's paths. A batch is billed where its results are fetched. */
export const OPERATIONS = createOperations<Kind>([
  { match: /\/count_tokens$/, operation: "free", kind: "count" },
  { match: /\/batches\/[^/]+\/results$/, operation: "result" },
  { match: /\/(chat\/completions|embeddings)$/, methods: ["POST"], operation: "inference", kind: "compatible" },
  { match: /\/batches$/, methods: ["POST"], operation: "job" },
  { match: /\/(batches|files|models|skills)(\/|$)/, operation: "free" },
  { match: /\/(messages|complete)$/, methods: ["POST"], operation: "inference" },
  { match: /^/, methods: ["POST"], operation: "unknown" },
  // Every other method shows, changes or removes what is there already.
  { match: /^/, operation: "free" },
])
