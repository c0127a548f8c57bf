import { readErrorMessage } from "./_error-message.ts"
import { bearerOf, headerOf } from "./_headers.ts"
import type { Dialect } from "./_provider.ts"
import { readRequest } from "./_request.ts"
import { askForUsage } from "./openai/ask-usage.ts"
import { createUsageFilter } from "./openai/hide-usage.ts"
import { createOpenAiMeter, isFreeOperation } from "./openai/meter.ts"
import { operationOf } from "./openai/paths.ts"
import { rereadOpenAi } from "./openai/reread.ts"

/** OpenAI's API, and everybody's who speaks it. */
export const openai = {
  format: "openai",
  prepare(exchange, { injectStreamUsage }) {
    const facts = readRequest(exchange)
    const operation = operationOf(exchange.method, exchange.path)
    const asks =
      injectStreamUsage && exchange.method === "POST" && (operation === "chat" || operation === "completions")
    const edit = asks ? askForUsage(facts) : undefined
    return {
      requestedModel: facts.model ?? deploymentOf(exchange.path),
      edit,
      createFilter: edit && createUsageFilter,
      stream: facts.stream,
    }
  },
  createMeter: createOpenAiMeter,
  reread: rereadOpenAi,
  isFree: isFreeOperation,
  credential: ({ headers }) => bearerOf(headers) ?? headerOf(headers, "api-key"),
  refusal: (code, status, message) =>
    JSON.stringify({
      error: { message, type: status >= 500 ? "server_error" : "invalid_request_error", param: null, code },
    }),
  errorMessage: readErrorMessage,
} satisfies Dialect

/** Azure names the model in the path. */
function deploymentOf(path: string): string | undefined {
  return /\/deployments\/([^/]+)\//.exec(path)?.[1]
}
