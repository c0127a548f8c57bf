import type { ModelList } from "../_dialect.ts"

export const MODEL_LIST: ModelList = {
  path: /^(?:\/v1beta\/openai)?(?:\/v1)?\/models(?:\/(.+))?$/,
  toModel: (id, provider) => ({ id, object: "model", created: 0, owned_by: provider }),
  toList: (data) => ({ object: "list", data }),
}
