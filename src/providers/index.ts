// The APIs that the gateway supports, one line each. A dialect's name here is its `format` in the settings, and the
// name of its own provider, which is built in. `catalog.ts` makes everything else from this table.
export { anthropic } from "./anthropic/index.ts"
export { bedrock } from "./bedrock/index.ts"
export { gemini } from "./gemini/index.ts"
export { openai } from "./openai/index.ts"
