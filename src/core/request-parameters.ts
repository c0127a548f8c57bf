/** What a request asks of a model beside its prompt; undefined: it does not say. No part of it is content. */
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
