import { GatewayError } from "../../core/errors.ts"
import type { ModelList } from "../_dialect.ts"
import { idsAfter, parsePageSize } from "../_pages.ts"

/** Google's families. Models of other makers are at Vertex AI alone, and those that end in `-maas` too. */
const OWN = /^(?:gemini|gemma|imagen|veo|lyria|learnlm|nano-banana|(?:text-)?embedding|aqa)\b/
/** Names of OpenRouter, such as `gemini-flash-1.5`. */
const FOREIGN = /[:/]|-maas$|^gemini-(?:flash|pro)-\d/

/** Pages are of `pageSize` models after `pageToken`: https://ai.google.dev/api/models#method:-models.list */
export const MODEL_LIST: ModelList = {
  path: /^\/v1(?:alpha|beta)?\/models(?:\/([^:]+))?$/,
  isOwnName: (id) => OWN.test(id) && !FOREIGN.test(id),
  toModel: (id) => ({ name: `models/${id}`, displayName: id }),
  toList(ids, { provider, query }) {
    const parameters = new URLSearchParams(query)
    const size = parsePageSize("pageSize", parameters.get("pageSize"))
    const token = parameters.get("pageToken")
    const following = token ? idsAfter(ids, fromToken(token)) : ids
    const page = following.slice(0, size)
    const models = page.map((id) => MODEL_LIST.toModel(id, provider))
    return page.length < following.length ? { models, nextPageToken: toToken(page.at(-1)!) } : { models }
  },
}

/** The token of a page is the name of the last model before it. */
function toToken(id: string): string {
  return Buffer.from(id).toString("base64url")
}

function fromToken(token: string): string {
  const id = Buffer.from(token, "base64url").toString()
  if (toToken(id) === token) return id
  throw new GatewayError("bad_request", "The parameter pageToken is not one that this list has given.")
}
