import { createTable } from "../../core/table.ts"

/**
 * The operations of the GenAI conventions, by the end of a request's path. `chat` is the convention for every API of
 * messages, also for OpenAI's Responses.
 * Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ (November 2026).
 */
const OPERATIONS: readonly (readonly [path: RegExp, operation: string])[] = [
  [/\/chat\/completions$|\/messages$|\/responses(?:\/compact)?$|\/realtime(?:\/|$)/, "chat"],
  [/\/(?:converse|converse-stream|invoke|invoke-with-response-stream|rawPredict|streamRawPredict)$/, "chat"],
  [/:(?:rawPredict|streamRawPredict)$/, "chat"],
  [/:(?:generateContent|streamGenerateContent)$|BidiGenerateContent$/, "generate_content"],
  [/\/completions$/, "text_completion"],
  [/\/embeddings$|:(?:embedContent|batchEmbedContents|predict)$/, "embeddings"],
  [/\/rerank$/, "rerank"],
  [/\/moderations$/, "moderation"],
  [/\/images\/(?:generations|edits|variations)$/, "image_generation"],
  [/\/audio\/speech$/, "speech"],
  [/\/audio\/(?:transcriptions|translations)$/, "transcription"],
]

/** Returns the name of a request's operation; undefined: it is none of a model, such as a list of files. */
export function toOperation(path: string, method: string, isWebSocket: boolean): string | undefined {
  if (method !== "POST" && !isWebSocket) return undefined
  return OPERATIONS.find(([pattern]) => pattern.test(path))?.[1]
}

/**
 * Returns the name of the operation of a piece of a job, which is read from an answer with results. The conventions have none
 * for batches, and allow others.
 * @param path that of the request for the results
 */
export function toLateOperation(path: string): string {
  return /\/responses\//.test(path) ? "chat" : "batch"
}

/** The conventions' names of providers whose names here differ. */
const PROVIDERS: Readonly<Record<string, string>> = createTable({
  gemini: "gcp.gemini",
  vertex: "gcp.vertex_ai",
  bedrock: "aws.bedrock",
  azure: "azure.ai.openai",
  mistral: "mistral_ai",
  xai: "x_ai",
  watsonx: "ibm.watsonx.ai",
})

export function toProviderName(provider: string): string {
  return Object.hasOwn(PROVIDERS, provider) ? PROVIDERS[provider]! : provider
}
