import type { ModelList } from "../_dialect.ts"

export const MODEL_LIST: ModelList = {
  path: /^\/v1(?:alpha|beta)?\/models(?:\/([^:]+))?$/,
  toModel: (id) => ({ name: `models/${id}`, displayName: id }),
  toList: (models) => ({ models }),
}
