import { toRows } from "../_allow-list.ts"
import { createOperations, type Routes, type Surface } from "../_routes.ts"
import { OPENAI_PATHS } from "../openai/routes.ts"
import {
  BATCH_OPERATIONS,
  FREE_OPERATIONS,
  INTERACTION_OPERATIONS,
  JOB_OPERATIONS,
  STORED_OPERATIONS,
} from "./free-operations.ts"

/** The methods of Gemini's models, which stand behind a colon in any path. */
const VERBS = /[/:](?:\w*[gG]enerateContent|\w*[eE]mbedContents?|countTokens)/

export const CLAIMS: Routes["claims"] = {
  paths: [
    /^\/(?:(?:up|down)load\/)?v1(?:alpha|beta)\//,
    /^\/v1\/(?:cachedContents|tunedModels|fileSearchStores|interactions)(?:\/|$)/,
    VERBS,
    /^\/+ws\/google\.ai\.generativelanguage\./,
  ],
  sharedPaths: [/^\/v1\/(?:models|files|batches)(?:\/|$)/],
  signs: [{ header: "x-goog-api-key" }, { query: "key" }],
  summary: "/v1beta/… (Gemini)",
}

const COMPATIBLE_PREFIX = "/v1beta/openai/"

/**
 * The OpenAI-compatible surface has paths of its own. A client of the named provider may also use OpenAI's paths. Vertex has
 * another such surface, and Claude's API below paths of its own.
 */
export const SURFACES: readonly Surface[] = [
  { format: "anthropic", path: /\/publishers\/anthropic\/models\/[^/]+:(?:streamRawPredict|rawPredict)$/ },
  { format: "openai", path: /\/endpoints\/openapi\// },
  { format: "openai", path: new RegExp(`^${COMPATIBLE_PREFIX}`) },
  {
    format: "openai",
    path: OPENAI_PATHS,
    except: VERBS,
    rewrite: { from: /^(?:\/v1)?\//, to: COMPATIBLE_PREFIX },
    isOnlyNamed: true,
    isOnlyBearer: true,
  },
]

/** The operations whose answers are read in a way of their own. */
type Kind = "compatible" | "embedding" | "video" | "operation" | "file" | "cache" | "batch" | "interaction" | "live"

/** The prefixes of the paths of the lists, of Gemini's API, its uploads and Vertex. */
const PREFIX = "/(?:upload/)?v1(?:alpha|beta1?)?/(?:projects/[^/]+/locations/[^/]+/)?"
const DOWNLOAD_PREFIX = "/(?:download/)?v1(?:alpha|beta)?/"

/**
 * The operations of Gemini's paths. A batch is billed by its items (`jobs.ts`). A cache is billed by its tokens and its lifetime;
 * the count in its answer is neither input nor output, so it is not read.
 */
export const OPERATIONS = createOperations<Kind>([
  // A session on a WebSocket, of Gemini's API and of Vertex. The path of an ephemeral token is the constrained one.
  {
    match: /\/ws\/google\.(?:ai\.generativelanguage|cloud\.aiplatform)\.[\w.]+[./]BidiGenerateContent(?:Constrained)?$/,
    methods: ["GET"],
    operation: "inference",
    kind: "live",
  },
  ...toRows("result", DOWNLOAD_PREFIX, "GET files/*:download", "file"),
  { match: /\/openai\//, methods: ["POST"], operation: "inference", kind: "compatible" },
  { match: /:(batch)?embedContents?$/i, methods: ["POST"], operation: "inference", kind: "embedding" },
  { match: /:(generateContent|streamGenerateContent|predict)$/, methods: ["POST"], operation: "inference" },
  { match: /:predictLongRunning$/, methods: ["POST"], operation: "inference", kind: "video" },
  { match: /:generateAnswer$/, methods: ["POST"], operation: "inference" },
  { match: /\/interactions$/, methods: ["POST"], operation: "inference", kind: "interaction" },
  { match: /\/cachedContents$/, methods: ["POST"], operation: "unknown", kind: "cache" },
  ...toRows("job", PREFIX, JOB_OPERATIONS, "batch"),
  ...toRows("result", PREFIX, BATCH_OPERATIONS, "batch"),
  ...toRows("stored", PREFIX, INTERACTION_OPERATIONS, "interaction"),
  ...toRows("free", PREFIX, "GET models/*/operations/*", "operation"),
  ...toRows("stored", PREFIX, STORED_OPERATIONS),
  ...toRows("free", PREFIX, FREE_OPERATIONS),
])

/** Returns true if the method of this path answers as a stream. */
export function isStreamed(path: string): boolean {
  return path.endsWith(":streamGenerateContent")
}

/** Returns the model in a path: `…/models/NAME:method` or `…/models/NAME`. */
export function modelIn(path: string): string | undefined {
  return /\/(?:models|tunedModels)\/([^/:]+)(?::|$)/.exec(path)?.[1]
}
