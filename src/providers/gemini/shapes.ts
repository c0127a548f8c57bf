import type { Shape } from "../../kit/json/prune.ts"
import { type JsonObject, objectOf } from "../_values.ts"

export const METADATA_SHAPE = {
  webSearchQueries: true,
  searchEntryPoint: { sdkBlob: true },
  googleMapsWidgetContextToken: true,
  groundingChunks: [{ web: { domain: true }, maps: { placeId: true } }],
} satisfies Shape

/** The members that are read of one answer, wherever it stands in a document. */
export const ANSWER_SHAPE = {
  modelVersion: true,
  model: true,
  usageMetadata: true,
  usage: true,
  candidates: [{ finishReason: true, groundingMetadata: METADATA_SHAPE }],
  predictions: [{ mimeType: true, embeddings: { statistics: { token_count: true } } }],
  metadata: { billableCharacterCount: true },
  embedding: { shape: true },
  embeddings: [{ shape: true }],
} satisfies Shape

/** The members that are read of an answer. */
export const SHAPE: Shape = { ...ANSWER_SHAPE, response: ANSWER_SHAPE, interaction: ANSWER_SHAPE }

/** The members that are read of one result of a batch. An embedding states its tokens beside it. */
export const RESULT_SHAPE = { response: { ...ANSWER_SHAPE, responseId: true, tokenCount: true } } satisfies Shape

/** The chunks of a stream are counted too, in case it ends without its usage. */
const CHUNK_SHAPE = {
  ...ANSWER_SHAPE,
  candidates: [
    {
      content: { parts: [{ text: true, functionCall: true, executableCode: { code: true } }] },
      finishReason: true,
      groundingMetadata: METADATA_SHAPE,
    },
  ],
} satisfies Shape

/** The members that are read of one chunk of a stream. */
export const STREAM_SHAPE: Shape = { ...CHUNK_SHAPE, response: CHUNK_SHAPE }

/** Returns the answer in a document: batch results, the events of the Interactions API and some proxies wrap it. */
export function unwrap(document: JsonObject): JsonObject {
  return objectOf(document["response"]) ?? objectOf(document["interaction"]) ?? document
}
