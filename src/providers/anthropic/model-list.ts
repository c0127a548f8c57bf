import type { ModelList } from "../_dialect.ts"

/** Anthropic's own word for a release date that is not known. */
const UNKNOWN_DATE = "1970-01-01T00:00:00Z"

export const MODEL_LIST: ModelList = {
  path: /^\/v1\/models(?:\/(.+))?$/,
  toModel: (id) => ({ type: "model", id, display_name: id, created_at: UNKNOWN_DATE }),
  toList: (data) => {
    const ids = data.map((model) => (model as { readonly id: string }).id)
    return { data, first_id: ids[0] ?? null, last_id: ids.at(-1) ?? null, has_more: false }
  },
}
