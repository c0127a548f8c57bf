import type { Modality } from "./usage.ts"

/** What an OpenAI path does, as far as money is concerned. Prefixes (`/v1`, Azure's, a proxy's) do not matter. */
export type Operation =
  | "chat"
  | "completions"
  | "responses"
  | "retrieve"
  | "embeddings"
  | "images"
  | "speech"
  | "transcription"
  | "batch_output"
  | "moderations"
  | "count"
  | "stored"
  | "other"

export function operationOf(method: string, path: string): Operation {
  // Asked several times of each request, and most requests do the same.
  if (path !== lastPath || method !== lastMethod) {
    lastOperation = findOperation(method, path)
    lastMethod = method
    lastPath = path
  }
  return lastOperation
}

let lastMethod = ""
let lastPath = ""
let lastOperation: Operation = "other"

function findOperation(method: string, path: string): Operation {
  for (const [pattern, operation] of PATHS) {
    if (!pattern.test(path)) continue
    if (method === "GET" && operation === "stored" && /\/responses\/[^/]+$/.test(path)) return "retrieve"
    return operation
  }
  return method === "GET" || method === "HEAD" || method === "DELETE" || method === "OPTIONS" ? "stored" : "other"
}

/** What the output of an operation is when the provider does not split it. */
export function unsplitOutputOf(operation: Operation): Modality {
  return operation === "images" ? "image" : operation === "speech" ? "audio" : "text"
}

/** First that fits. */
const PATHS: readonly (readonly [RegExp, Operation])[] = [
  [/\/chat\/completions$/, "chat"],
  [/\/responses\/input_tokens$/, "count"],
  [/\/responses(\/compact)?$/, "responses"],
  [/\/responses\/[^/]+(\/(cancel|input_items))?$/, "stored"],
  [/\/chat\/completions\//, "stored"],
  [/\/completions$/, "completions"],
  [/\/embeddings$/, "embeddings"],
  [/\/images\/[^/]+$/, "images"],
  [/\/audio\/speech$/, "speech"],
  [/\/audio\/[^/]+$/, "transcription"],
  [/\/moderations$/, "moderations"],
  [/\/files\/[^/]+\/content$/, "batch_output"],
  [/\/(files|uploads|batches|models|conversations|assistants)(\/|$)/, "stored"],
]
