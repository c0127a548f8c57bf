import type { Dialect, ProviderRequest } from "../_dialect.ts"
import { readErrorMessage } from "../_error-message.ts"
import { bearerOf, headerOf } from "../_headers.ts"
import { createFoldingMeter } from "../_meter.ts"
import { readRequest } from "../_request.ts"
import { createOpenAiMeter } from "../openai/meter.ts"
import { rereadOpenAi } from "../openai/reread.ts"
import { createAnthropicFold, rereadAnthropic } from "./fold.ts"

/** Anthropic's Messages API, and its OpenAI-compatible endpoint. */
export const anthropic = {
  format: "anthropic",
  prepare(exchange) {
    const { model, stream } = readRequest(exchange)
    return { requestedModel: model, edit: undefined, createFilter: undefined, stream }
  },
  createMeter(exchange, head) {
    if (isCompatible(exchange.path)) return createOpenAiMeter(exchange, head)
    if (/\/count_tokens$/.test(exchange.path)) return undefined
    return createFoldingMeter(head, createAnthropicFold({ free: isFree(exchange) }))
  },
  reread: (stored) => (isCompatible(stored.path) ? rereadOpenAi(stored) : rereadAnthropic(stored)),
  isFree,
  readCredential: ({ headers }) => headerOf(headers, "x-api-key") ?? bearerOf(headers),
  errorBody: (_code, status, message) =>
    JSON.stringify({
      type: "error",
      error: { type: TYPES[status] ?? (status < 500 ? "invalid_request_error" : "api_error"), message },
    }),
  readErrorMessage: readErrorMessage,
} satisfies Dialect

function isCompatible(path: string): boolean {
  return /\/(chat\/completions|embeddings)$/.test(path)
}

/** Counting tokens, and whatever only shows or files; results of a batch are where its usage is told. */
function isFree({ method, path }: ProviderRequest): boolean {
  if (/\/count_tokens$/.test(path)) return true
  if (/\/batches\/[^/]+\/results$/.test(path)) return false
  return method !== "POST" || /\/(batches|files|models|skills)(\/|$)/.test(path)
}

/** Anthropic's own error types, by which its SDKs and users tell errors apart. */
const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
}
