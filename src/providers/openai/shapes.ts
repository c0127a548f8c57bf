import type { Shape } from "../../kit/json/prune.ts"

/** The members that are read of one answer, wherever it stands in a document. */
export const ANSWER_SHAPE = {
  model: true,
  service_tier: true,
  usage: true,
  x_groq: { usage: true },
  output: [{ type: true, action: { type: true }, container_id: true, environment: { type: true, container_id: true } }],
  choices: [{ finish_reason: true }],
  data: [{ index: true }],
  usage_info: { pages_processed: true },
  error: { type: true },
  id: true,
  status: true,
  seconds: true,
  size: true,
  tool_usage: { image_gen: true },
  tools: [{ type: true, model: true, container: { memory_limit: true }, environment: { memory_limit: true } }],
} satisfies Shape

/** The members that are read of an answer, or of one event of a stream. */
export const DOCUMENT_SHAPE: Shape = { ...ANSWER_SHAPE, type: true, response: ANSWER_SHAPE }
