import { countOf, type JsonObject, listOf, objectOf } from "../_values.ts"

/**
 * Returns the usage of Vertex's embeddings by `:predict`, as `usageMetadata` would state it: each text has its own count,
 * and `billableCharacterCount` is what older models bill. undefined: the predictions are something else.
 */
export function fromPredictions(answer: JsonObject): JsonObject | undefined {
  let promptTokenCount: number | undefined
  for (const element of listOf(answer["predictions"])) {
    const statistics = objectOf(objectOf(objectOf(element)?.["embeddings"])?.["statistics"])
    const count = countOf(statistics?.["token_count"])
    if (count !== undefined) promptTokenCount = (promptTokenCount ?? 0) + count
  }
  if (promptTokenCount === undefined) return undefined
  const billableCharacterCount = countOf(objectOf(answer["metadata"])?.["billableCharacterCount"])
  return { promptTokenCount, ...(billableCharacterCount === undefined ? {} : { billableCharacterCount }) }
}

/** Returns why the cost of an embedding is not certain: only the models of Gemini bill tokens. */
export function doubtsOfEmbedding(usage: JsonObject, model: string | undefined): readonly string[] | undefined {
  if (usage["billableCharacterCount"] === undefined || model?.startsWith("gemini-")) return undefined
  return ["this model bills characters, and not tokens"]
}
