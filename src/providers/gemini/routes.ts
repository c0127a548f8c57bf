import { createOperations, type Routes, type Surface } from "../_routes.ts"
import { OPENAI_PATHS } from "../openai/routes.ts"

/** The methods of Gemini's models, which stand behind a colon in any path. */
const VERBS = /generateContent|streamGenerateContent|[eE]mbedContents?|countTokens/

export const CLAIMS: Routes["claims"] = {
  paths: [/^\/v1beta\//, VERBS],
  signs: [{ header: "x-goog-api-key" }, { query: "key", path: /^\/v1\/models(?:[/:?]|$)/ }],
  summary: "/v1beta/… (Gemini)",
}

const COMPATIBLE_PREFIX = "/v1beta/openai/"

/** The OpenAI-compatible surface has paths of its own. A client of the named provider may also use OpenAI's paths. */
export const SURFACES: readonly Surface[] = [
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
type Kind = "compatible" | "embedding" | "file"

/** The operations of Gemini's paths. A batch is billed where its file is fetched. */
export const OPERATIONS = createOperations<Kind>([
  { match: /:(countTokens|computeTokens)$/, operation: "free" },
  { match: /\/files\/[^/]+:download$/, methods: ["GET"], operation: "result", kind: "file" },
  { match: /\/(files|cachedContents|operations|batches)(\/|$)/, operation: "free" },
  { match: /\/openai\//, methods: ["POST"], operation: "inference", kind: "compatible" },
  { match: /:(batch)?embedContents?$/i, methods: ["POST"], operation: "inference", kind: "embedding" },
  { match: /:(generateContent|streamGenerateContent|predict)$/, methods: ["POST"], operation: "inference" },
  { match: /^/, methods: ["POST"], operation: "unknown" },
  // Every other method shows, changes or removes what is there already.
  { match: /^/, operation: "free" },
])

/** Returns the model in a path: `…/models/NAME:method` or `…/models/NAME`. */
export function modelIn(path: string): string | undefined {
  return /\/(?:models|tunedModels)\/([^/:]+)(?::|$)/.exec(path)?.[1]
}
