import { countOf, type JsonObject, listOf, objectOf } from "../_values.ts"

/**
 * Returns the usage of the Interactions API with the names of `usageMetadata`; undefined when it is no such object. Its
 * modalities are in lower case, and their counts are called `tokens`.
 */
export function fromInteraction(answer: JsonObject): JsonObject | undefined {
  const usage = objectOf(answer["usage"])
  if (!usage || (countOf(usage["total_input_tokens"]) === undefined && countOf(usage["total_tokens"]) === undefined)) {
    return undefined
  }
  return {
    promptTokenCount: usage["total_input_tokens"],
    toolUsePromptTokenCount: usage["total_tool_use_tokens"],
    cachedContentTokenCount: usage["total_cached_tokens"],
    candidatesTokenCount: usage["total_output_tokens"],
    thoughtsTokenCount: usage["total_thought_tokens"],
    totalTokenCount: usage["total_tokens"],
    promptTokensDetails: details(usage["input_tokens_by_modality"]),
    cacheTokensDetails: details(usage["cached_tokens_by_modality"]),
    toolUsePromptTokensDetails: details(usage["tool_use_tokens_by_modality"]),
    candidatesTokensDetails: details(usage["output_tokens_by_modality"]),
  }
}

function details(list: unknown): JsonObject[] {
  return listOf(list).flatMap((element) => {
    const one = objectOf(element)
    return one ? [{ modality: String(one["modality"]).toUpperCase(), tokenCount: one["tokens"] }] : []
  })
}
