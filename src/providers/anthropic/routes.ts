import { toRows } from "../_allow-list.ts"
import { createOperations, type Routes, type Surface } from "../_routes.ts"
import { FREE_ADMIN_OPERATIONS, FREE_OPERATIONS, STORED_OPERATIONS } from "./free-operations.ts"

/** The roots that only Anthropic has. A test compares them with the SDK. */
const ROOTS = [
  "messages",
  "complete",
  "organizations",
  "agents",
  "sessions",
  "environments",
  "memory_stores",
  "vaults",
  "user_profiles",
  "tunnels",
  "deployments",
  "deployment_runs",
  "dreams",
]

export const CLAIMS: Routes["claims"] = {
  // Claude Code also calls some paths below /api.
  paths: [
    new RegExp(`^/v1/(?:${ROOTS.join("|")})(?:[/:]|$)`),
    /^\/api\/(?:event_logging|claude_cli|claude_code|hello)(?:\/|$)/,
  ],
  sharedPaths: [/^\/v1\/(?:models|files|skills)(?:\/|$)/],
  signs: [{ header: "anthropic-version" }, { header: "x-api-key" }],
  summary: "/v1/messages (Anthropic)",
}

/** Anthropic has only this one of the OpenAI-compatible paths; its /v1/models and /v1/files are its own. */
export const SURFACES: readonly Surface[] = [
  { format: "openai", path: /^\/v1\/chat\/completions(?:[/:?]|$)/, isOnlyNamed: true },
]

/** The operations whose answers are read in a way of their own. */
type Kind = "count" | "compatible" | "batch" | "results"

/** The prefixes of the paths of the lists: some providers have the API below a path of their own. */
const PREFIX = "/(?:(?:api|anthropic)/)?v1/"

/** Claude's token counter on Vertex. */
const VERTEX_COUNT = /^\/v1\/projects\/[^/]+\/locations\/[^/]+\/publishers\/anthropic\/models\/count-tokens:rawPredict$/

/** The operations of Anthropic's paths. A batch is billed where its results are fetched. */
export const OPERATIONS = createOperations<Kind>([
  { match: new RegExp(`^${PREFIX}messages/count_tokens$`), methods: ["POST"], operation: "free", kind: "count" },
  { match: VERTEX_COUNT, methods: ["POST"], operation: "free", kind: "count" },
  ...toRows("result", PREFIX, "GET messages/batches/*/results", "results"),
  { match: /\/(chat\/completions|embeddings)$/, methods: ["POST"], operation: "inference", kind: "compatible" },
  { match: /\/(messages|complete)$/, methods: ["POST"], operation: "inference" },
  // Claude on Vertex and Bedrock.
  { match: /:(streamRawPredict|rawPredict)$/, methods: ["POST"], operation: "inference" },
  { match: /\/(invoke|invoke-with-response-stream)$/, methods: ["POST"], operation: "inference" },
  ...toRows("job", PREFIX, "POST messages/batches", "batch"),
  ...toRows("stored", PREFIX, "GET messages/batches\nGET messages/batches/*\nPOST messages/batches/*/cancel", "batch"),
  ...toRows("stored", PREFIX, STORED_OPERATIONS),
  ...toRows("free", PREFIX, FREE_OPERATIONS),
  ...toRows("free", PREFIX, FREE_ADMIN_OPERATIONS),
  // Claude Code reports its own events here.
  ...toRows("free", "/api/", "POST event_logging/batch\nPOST event_logging/v2/batch"),
])

/** Returns the model in a path of Vertex AI. */
export function modelIn(path: string): string | undefined {
  return VERTEX_COUNT.test(path) ? undefined : /\/publishers\/anthropic\/models\/([^/:]+):/.exec(path)?.[1]
}
