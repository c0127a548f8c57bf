import { toRows } from "../_allow-list.ts"
import { createOperations, type Routes, type Surface } from "../_routes.ts"
import {
  FREE_ADMIN_OPERATIONS,
  FREE_COMPATIBLE_OPERATIONS,
  FREE_OPERATIONS,
  RUN_OPERATIONS,
  STORED_OPERATIONS,
} from "./free-operations.ts"

const ROOTS = [
  "chat/completions",
  "completions",
  "responses",
  "decisions",
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
  "conversations",
  "realtime",
  "evals",
  "skills",
  "chatkit",
  "organization",
  // Google's paths begin with the same word.
  "projects(?!/[^/]+/locations)",
  "live",
]

/** OpenAI's paths, with or without `/v1`: some clients have it in their base URL. */
export const OPENAI_PATHS = new RegExp(`^(?:/v1)?/(?:${ROOTS.join("|")})(?:/|$)`)

export const CLAIMS: Routes["claims"] = {
  sharedPaths: [OPENAI_PATHS],
  summary: "/v1/chat/completions, /v1/completions, /v1/responses, /v1/embeddings and the other OpenAI paths",
}

/** Azure and others offer Claude, or Anthropic's API for models of their own, below a path. */
export const SURFACES: readonly Surface[] = [{ format: "anthropic", path: /^\/anthropic\/v1\//, isOnlyNamed: true }]

/** The operations whose answers are read in a way of their own. */
export type Kind =
  | "chat"
  | "completions"
  | "responses"
  | "response"
  | "realtime"
  | "translation"
  | "call"
  | "decisions"
  | "embeddings"
  | "images"
  | "speech"
  | "videos"
  | "video"
  | "ocr"
  | "run"
  | "count"
  | "batch"
  | "batch_output"

/** The prefixes of the paths of the lists: Azure, other providers and Gemini have the API below paths of their own. */
const PREFIX = "/(?:(?:openai|api|inference|v1beta/openai)/)?(?:v1/)?"

/**
 * The operations of OpenAI's paths. A stored response repeats the usage that its making was billed for. Runs, videos, fine-tuning
 * and containers are billed without a usage in their answer, so they are in no list of what is free.
 */
export const OPERATIONS = createOperations<Kind>([
  { match: /\/chat\/completions$/, methods: ["POST"], operation: "inference", kind: "chat" },
  { match: new RegExp(`^${PREFIX}responses/input_tokens$`), methods: ["POST"], operation: "free", kind: "count" },
  { match: /\/responses(\/compact)?$/, methods: ["POST"], operation: "inference", kind: "responses" },
  // Sessions on WebSockets.
  { match: /\/responses$/, methods: ["GET"], operation: "inference", kind: "responses" },
  { match: /\/realtime$/, methods: ["GET"], operation: "inference", kind: "realtime" },
  { match: /\/realtime\/translations$/, methods: ["GET"], operation: "inference", kind: "translation" },
  // A call whose sound goes past the gateway, by WebRTC or telephone: what it costs is in no answer.
  { match: /\/realtime\/calls(\/[^/]+\/accept)?$/, methods: ["POST"], operation: "unknown", kind: "call" },
  { match: /\/completions$/, methods: ["POST"], operation: "inference", kind: "completions" },
  { match: /\/decisions$/, methods: ["POST"], operation: "inference", kind: "decisions" },
  { match: /\/embeddings$/, methods: ["POST"], operation: "inference", kind: "embeddings" },
  { match: /\/images\/[^/]+$/, methods: ["POST"], operation: "inference", kind: "images" },
  { match: /\/audio\/speech$/, methods: ["POST"], operation: "inference", kind: "speech" },
  { match: /\/audio\/[^/]+$/, methods: ["POST"], operation: "inference" },
  {
    match: /\/videos(\/(generations|edits|extensions|[^/]+\/remix))?$/,
    methods: ["POST"],
    operation: "inference",
    kind: "videos",
  },
  // Mistral's.
  { match: /\/ocr$/, methods: ["POST"], operation: "inference", kind: "ocr" },
  { match: /\/threads(\/[^/]+)?\/runs$/, methods: ["POST"], operation: "inference", kind: "run" },
  ...toRows("result", PREFIX, "GET files/*/content", "batch_output"),
  ...toRows("job", PREFIX, "POST batches", "batch"),
  ...toRows("stored", PREFIX, "GET batches/*\nPOST batches/*/cancel", "batch"),
  ...toRows("stored", PREFIX, "GET responses/*\nPOST responses/*/cancel", "response"),
  ...toRows("stored", PREFIX, RUN_OPERATIONS, "run"),
  ...toRows("stored", PREFIX, "GET videos/*", "video"),
  ...toRows("stored", PREFIX, STORED_OPERATIONS),
  ...toRows("free", PREFIX, FREE_OPERATIONS),
  ...toRows("free", PREFIX, FREE_ADMIN_OPERATIONS),
  ...toRows("free", PREFIX, FREE_COMPATIBLE_OPERATIONS),
])
