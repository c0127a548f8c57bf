import { defineDialect } from "../_define.ts"
import { DeliveryCollector } from "../_delivery.ts"
import { framingOf } from "../_framing.ts"
import { readRequest } from "../_request.ts"
import { openai } from "../openai/index.ts"
import { MessageCollector } from "./collector.ts"
import { DESCRIPTION } from "./description.ts"
import { readJobs } from "./jobs.ts"
import { LOGINS } from "./logins.ts"
import { MODEL_LIST } from "./model-list.ts"
import { toReading } from "./reading.ts"
import { findGatewayAddress, ResultsUrlFilter } from "./results-url.ts"
import { CLAIMS, modelIn, OPERATIONS, SURFACES } from "./routes.ts"

/** Anthropic's Messages API, and its OpenAI-compatible endpoint. */
export const anthropic = defineDialect({
  baseUrl: "https://api.anthropic.com",
  routes: { claims: CLAIMS, surfaces: SURFACES, operations: OPERATIONS },
  modelList: MODEL_LIST,
  credentials: [{ header: "x-api-key" }, { header: "authorization", scheme: "bearer" }],
  logins: LOGINS,
  prepare(request, options) {
    const { model, stream, attribution, json } = readRequest(request, options)
    const isBatch = OPERATIONS.find(request.method, request.path).kind === "batch"
    const address = isBatch ? findGatewayAddress(options.rewriteResultUrls, request.headers["host"]) : undefined
    const createRewriter = address === undefined ? undefined : () => new ResultsUrlFilter(address)
    return {
      requestedModel: model,
      edit: undefined,
      createFilter: undefined,
      createRewriter,
      stream,
      attribution,
      json,
    }
  },
  modelInPath: modelIn,
  framing(request, head) {
    const { kind } = OPERATIONS.find(request.method, request.path)
    if (kind === "compatible") return openai.framing(request, head)
    return kind === "count" ? "opaque" : framingOf(head)
  },
  createCollector(request) {
    const { kind } = OPERATIONS.find(request.method, request.path)
    if (kind === "compatible") return openai.createCollector(request)
    return kind === "results" ? new DeliveryCollector(request) : new MessageCollector(request)
  },
  readOrder: (request) => (isCompatible(request) ? openai.readOrder?.(request) : undefined),
  toReading: (evidence) => (isCompatible(evidence) ? openai.toReading(evidence) : toReading(evidence)),
  jobs: readJobs,
  describes(request) {
    if (isCompatible(request)) return openai.describes?.(request)
    return OPERATIONS.find(request.method, request.path).operation === "inference" ? DESCRIPTION : undefined
  },
  errorBody: (_code, statusCode, message) =>
    JSON.stringify({
      type: "error",
      error: { type: TYPES[statusCode] ?? (statusCode < 500 ? "invalid_request_error" : "api_error"), message },
    }),
})

function isCompatible({ method, path }: { readonly method: string; readonly path: string }): boolean {
  return OPERATIONS.find(method, path).kind === "compatible"
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
