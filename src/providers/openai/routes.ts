import { createOperations, METHODS_WITHOUT_WORK, type Routes } from "../_routes.ts"

const ROOTS = [
  "chat/completions",
  "completions",
  "responses",
  "embeddings",
  "images",
  "audio",
  "moderations",
  "models",
  "files",
  "batches",
  "uploads",
  "fine_tuning",
  "assistants",
  "threads",
  "vector_stores",
  "containers",
  "videos",
]

/** OpenAI's paths, with or without `/v1`: some clients have it in their base URL. */
export const OPENAI_PATHS = new RegExp(`^(?:/v1)?/(?:${ROOTS.join("|")})(?:/|$)`)

export const CLAIMS: Routes["claims"] = {
  sharedPaths: [OPENAI_PATHS],
  summary: "/v1/chat/completions, /v1/completions, /v1/responses, /v1/embeddings and the other OpenAI paths",
}

/** The operations whose answers are read in a way of their own. */
export type Kind = "chat" | "completions" | "responses" | "images" | "speech" | "count" | "batch_output"

/**
 * The operations of OpenAI's paths. A stored response repeats the usage that its making was billed for, so showing it
 * is free, as counting, moderation and everything that only files or shows things is.
 */
export const OPERATIONS = createOperations<Kind>([
  { match: /\/chat\/completions$/, operation: "inference", kind: "chat" },
  { match: /\/responses\/input_tokens$/, operation: "free", kind: "count" },
  { match: /\/responses(\/compact)?$/, operation: "inference", kind: "responses" },
  { match: /\/responses\/[^/]+(\/(cancel|input_items))?$/, operation: "free" },
  { match: /\/chat\/completions\//, operation: "free" },
  { match: /\/completions$/, operation: "inference", kind: "completions" },
  { match: /\/embeddings$/, operation: "inference" },
  { match: /\/images\/[^/]+$/, operation: "inference", kind: "images" },
  { match: /\/audio\/speech$/, operation: "inference", kind: "speech" },
  { match: /\/audio\/[^/]+$/, operation: "inference" },
  { match: /\/moderations$/, operation: "free" },
  { match: /\/files\/[^/]+\/content$/, operation: "result", kind: "batch_output" },
  { match: /\/batches$/, methods: ["POST"], operation: "job" },
  { match: /\/(files|uploads|batches|models|conversations|assistants)(\/|$)/, operation: "free" },
  { match: /^/, methods: METHODS_WITHOUT_WORK, operation: "free" },
])
