import type { ModelList } from "../_dialect.ts"
import { idsAfter, parsePageSize } from "../_pages.ts"

/** Anthropic's own word for a release date that is not known. */
const UNKNOWN_DATE = "1970-01-01T00:00:00Z"

/** Pages are of `limit` models, after `after_id` or before `before_id`: https://docs.anthropic.com/en/api/models-list */
export const MODEL_LIST: ModelList = {
  path: /^\/v1\/models(?:\/(.+))?$/,
  // Others write versions with a dot, and prefixes with a slash.
  isOwnName: (id) => /^claude-[\w-]+$/.test(id),
  toModel: (id) => ({ type: "model", id, display_name: id, created_at: UNKNOWN_DATE }),
  toList(ids, { provider, query }) {
    const parameters = new URLSearchParams(query)
    const limit = parsePageSize("limit", parameters.get("limit"))
    const [after, before] = [parameters.get("after_id"), parameters.get("before_id")]
    const following = after === null ? ids : idsAfter(ids, after)
    const preceding = before === null ? following : following.filter((id) => id < before)
    const page = before === null ? preceding.slice(0, limit) : preceding.slice(-limit)
    return {
      data: page.map((id) => MODEL_LIST.toModel(id, provider)),
      first_id: page[0] ?? null,
      last_id: page.at(-1) ?? null,
      has_more: page.length < preceding.length,
    }
  },
}
