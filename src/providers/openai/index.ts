import type { Dialect } from "../_dialect.ts"
import { readErrorMessage } from "../_error-message.ts"
import { bearerOf, headerOf } from "../_headers.ts"
import { readRequest } from "../_request.ts"
import { askForUsage } from "./ask-usage.ts"
import { createUsageFilter } from "./hide-usage.ts"
import { createOpenAiMeter, isFreeOperation } from "./meter.ts"
import { operationOf } from "./paths.ts"
import { rereadOpenAi } from "./reread.ts"

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
  readCredential: ({ headers }) => bearerOf(headers) ?? headerOf(headers, "api-key"),
  errorBody: (code, status, message) =>
    JSON.stringify({
      error: { message, type: status >= 500 ? "server_error" : "invalid_request_error", param: null, code },
    }),
  readErrorMessage: readErrorMessage,
} satisfies Dialect

/** Azure names the model in the path. */
function deploymentOf(path: string): string | undefined {
  return /\/deployments\/([^/]+)\//.exec(path)?.[1]
}
