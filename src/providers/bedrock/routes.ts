import { toRows } from "../_allow-list.ts"
import { createOperations, type Routes, type Surface } from "../_routes.ts"

const ACTIONS = "invoke|invoke-with-response-stream|invoke-with-bidirectional-stream|converse|converse-stream"

export const CLAIMS: Routes["claims"] = {
  paths: [
    new RegExp(`^/model/.+/(?:${ACTIONS}|count-tokens)$`),
    /^\/guardrail\/[^/]+\/version\/[^/]+\/apply$/,
    /^\/guardrail-checks\/invoke$/,
    /^\/async-invoke(?:\/|$)/,
  ],
  summary: "/model/{id}/converse and /model/{id}/invoke (Bedrock)",
}

/** The APIs of OpenAI and Anthropic, which Bedrock and its Mantle endpoint have too. */
export const SURFACES: readonly Surface[] = [
  { format: "anthropic", path: /^\/anthropic\/v1\// },
  { format: "openai", path: /^\/(?:openai\/)?v1\// },
]

/** The operations whose answers are read in a way of their own. */
type Kind = "count"

/**
 * The operations of Bedrock's paths. Guardrails, agents and asynchronous invocations report no tokens and are billed, so
 * they are in no row.
 */
export const OPERATIONS = createOperations<Kind>([
  // The id of the model can be an ARN, with encoded slashes in it.
  { match: /^\/model\/(?!\.{1,2}\/)[^/]+\/count-tokens$/, methods: ["POST"], operation: "free", kind: "count" },
  { match: new RegExp(`/model/.+/(?:${ACTIONS})$`), methods: ["POST"], operation: "inference" },
  ...toRows("free", "/", "GET async-invoke\nGET async-invoke/*"),
])

const MODEL = new RegExp(`/model/(.+)/(?:${ACTIONS}|count-tokens)$`)
/** The ARNs that end in the id of a model. Those of applications, routers and endpoints say nothing of it. */
const ARN_OF_MODEL = /^arn:[^:]*:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)\/(.+)$/

/** Returns the id in a path as it was asked for, such as `us.amazon.nova-lite-v1:0` or an ARN. */
export function requestedIn(path: string): string | undefined {
  const id = MODEL.exec(path)?.[1]
  return id === undefined ? undefined : decoded(id).slice(0, 256)
}

/** Returns the model in a path. The answers do not name it, or by a name that is not safe for prices. */
export function modelIn(path: string): string | undefined {
  const id = requestedIn(path)
  return id === undefined ? undefined : (ARN_OF_MODEL.exec(id)?.[1] ?? id)
}

/** Returns true if the answer to this path is a stream. */
export function isStreamed(path: string): boolean {
  return path.endsWith("-stream")
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
