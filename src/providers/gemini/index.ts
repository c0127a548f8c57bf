import type { Dialect, ProviderRequest } from "../_dialect.ts"
import { readErrorMessage } from "../_error-message.ts"
import { bearerOf, headerOf } from "../_headers.ts"
import { createFoldingMeter } from "../_meter.ts"
import { readRequest } from "../_request.ts"
import { createOpenAiMeter } from "../openai/meter.ts"
import { rereadOpenAi } from "../openai/reread.ts"
import { createGeminiFold, isEmbedding, rereadGemini } from "./fold.ts"

/** Gemini's API, Vertex's twin of it, and its OpenAI-compatible surface. */
export const gemini = {
  format: "gemini",
  prepare(exchange) {
    const named = modelOf(exchange.path)
    const facts = named === undefined || isCompatible(exchange.path) ? readRequest(exchange) : undefined
    return {
      requestedModel: named ?? facts?.model?.replace(/^models\//, ""),
      edit: undefined,
      createFilter: undefined,
      stream: /:streamGenerateContent$/.test(exchange.path) || facts?.stream === true,
    }
  },
  createMeter(exchange, head) {
    if (isCompatible(exchange.path)) return createOpenAiMeter(exchange, head)
    if (/^(audio|image|video)\//i.test(head.contentType)) return undefined
    return createFoldingMeter(
      isResultFile(exchange) ? { ...head, contentType: "application/jsonl" } : head,
      createGeminiFold({
        free: isFree(exchange),
        splitImages: isEmbedding(exchange.path),
        batch: isResultFile(exchange),
        requestedModel: modelOf(exchange.path),
      }),
    )
  },
  reread: (stored) => (isCompatible(stored.path) ? rereadOpenAi(stored) : rereadGemini(stored)),
  isFree,
  readCredential: ({ headers, query }) => headerOf(headers, "x-goog-api-key") ?? keyIn(query) ?? bearerOf(headers),
  errorBody: (_code, status, message) =>
    JSON.stringify({
      error: { code: status, message, status: STATUSES[status] ?? (status < 500 ? "INVALID_ARGUMENT" : "INTERNAL") },
    }),
  readErrorMessage: readErrorMessage,
} satisfies Dialect

function isCompatible(path: string): boolean {
  return /\/openai\//.test(path)
}

/** The name in `…/models/NAME:method` or `…/models/NAME`. */
function modelOf(path: string): string | undefined {
  return /\/(?:models|tunedModels)\/([^/:]+)(?::|$)/.exec(path)?.[1]
}

/** The file that a batch leaves; its lines are answers. */
function isResultFile({ method, path }: Pick<ProviderRequest, "method" | "path">): boolean {
  return method === "GET" && /\/files\/[^/]+:download$/.test(path)
}

/** Counting, and whatever only shows or files. */
function isFree({ method, path }: ProviderRequest): boolean {
  if (/:(countTokens|computeTokens)$/.test(path)) return true
  if (isResultFile({ method, path })) return false
  return method !== "POST" || /\/(files|cachedContents|operations|batches)(\/|$)/.test(path)
}

function keyIn(query: string): string | undefined {
  if (!query.includes("key=")) return undefined
  return new URLSearchParams(query).get("key") || undefined
}

/** Google's own status words. */
const STATUSES: Readonly<Record<number, string>> = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  408: "DEADLINE_EXCEEDED",
  429: "RESOURCE_EXHAUSTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
}
