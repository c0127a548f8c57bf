import type { ModelList } from "../_dialect.ts"

/** Fine-tuned models without their name, open models that others serve, and names of OpenRouter, such as `gpt-5-image`. */
const FOREIGN = /[:/]|\.ft-|-$|^gpt-oss-|^gpt-\d[\d.]*-image/

/** The API has no pages. */
export const MODEL_LIST: ModelList = {
  path: /^(?:\/v1beta\/openai)?(?:\/v1)?\/models(?:\/(.+))?$/,
  isOwnName: (id) => !FOREIGN.test(id),
  toModel: (id, provider) => ({ id, object: "model", created: 0, owned_by: provider }),
  toList: (ids, { provider }) => ({ object: "list", data: ids.map((id) => MODEL_LIST.toModel(id, provider)) }),
}
