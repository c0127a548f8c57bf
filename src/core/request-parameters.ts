/** The parameters of a request beside its prompt; undefined: the request does not state it. No part of it is content. */
export interface RequestParameters {
  temperature?: number
  topP?: number
  topK?: number
  frequencyPenalty?: number
  presencePenalty?: number
  maxTokens?: number
  seed?: number
  /** The number of answers that it asks for. */
  choices?: number
  stopSequences?: readonly string[]
  outputType?: "text" | "json" | "image" | "speech"
}
