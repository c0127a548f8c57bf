import type { LimitMeasure } from "../../core/limit.ts"
import { defineDialect } from "../_define.ts"
import { fileFramingOf, framingOf, isMedia } from "../_framing.ts"
import { readRequest } from "../_request.ts"
import { askForUsage, rejectsAskedUsage } from "./ask-usage.ts"
import { createCollector } from "./collector.ts"
import { readDescription } from "./description.ts"
import { createUsageFilter } from "./hide-usage.ts"
import { readJobs } from "./jobs.ts"
import { MODEL_LIST } from "./model-list.ts"
import { readOrder } from "./pieces.ts"
import { toReading } from "./reading.ts"
import { CLAIMS, OPERATIONS, SURFACES } from "./routes.ts"
import { findRealtimeModel } from "./sockets/asked-model.ts"
import { SOCKETS } from "./sockets/index.ts"

/** OpenAI's API, which many providers implement. */
export const openai = defineDialect({
  baseUrl: "https://api.openai.com",
  routes: { claims: CLAIMS, surfaces: SURFACES, operations: OPERATIONS },
  // Azure has a header of its own.
  modelList: MODEL_LIST,
  credentials: [
    { header: "authorization", scheme: "bearer" },
    { header: "api-key" },
    // Pages in browsers cannot set headers of a WebSocket, so that Azure takes its key here too.
    { query: "api-key", isForSockets: true },
    { subprotocol: "openai-insecure-api-key." },
  ],
  // Codex sends the id of the account with each request of a ChatGPT login, and never with an API key.
  // A login is a JSON Web Token. The header alone proves nothing: with an API key, the request is billed.
  logins: {
    isLogin: (credential, headers) => headers["chatgpt-account-id"] !== undefined && credential.startsWith("eyJ"),
  },
  prepare(request, options) {
    const facts = readRequest(request, options)
    const { kind } = OPERATIONS.find(request.method, request.path)
    const asks = options.injectStreamUsage && request.method === "POST" && (kind === "chat" || kind === "completions")
    const isRealtime = request.path.includes("/realtime")
    const edit = asks ? askForUsage(facts) : undefined
    return {
      requestedModel:
        facts.model ?? deploymentOf(request.path) ?? (isRealtime ? findRealtimeModel(request) : undefined),
      edit,
      createFilter: edit && createUsageFilter,
      stream: facts.stream,
      attribution: facts.attribution,
      json: facts.json,
    }
  },
  modelInPath: deploymentOf,
  retryWithout: rejectsAskedUsage,
  framing({ method, path }, head) {
    const { kind } = OPERATIONS.find(method, path)
    if (kind === "batch_output") return fileFramingOf(head)
    if (kind === "count" || isMedia(head) || /^application\/octet-stream/i.test(head.contentType)) return "opaque"
    return framingOf(head)
  },
  createCollector,
  isBilledByRequest: ({ method, path }) => OPERATIONS.find(method, path).kind === "speech",
  readOrder: (request) => readOrder(request, OPERATIONS.find(request.method, request.path).kind),
  toReading,
  jobs: readJobs,
  describes: readDescription,
  sockets: SOCKETS,
  errorBody: (code, statusCode, message, measure) => {
    const type = statusCode >= 500 ? "server_error" : "invalid_request_error"
    return JSON.stringify({ error: { message, type, param: null, code, ...(measure && toLimitCode(measure)) } })
  },
})

/** Returns the type and the code by which OpenAI's own API tells a budget that is used up from a rate that is exceeded. */
function toLimitCode(measure: LimitMeasure) {
  if (measure === "cost") return { type: "insufficient_quota", code: "insufficient_quota" }
  return { type: measure.endsWith("tokens") ? "tokens" : "requests", code: "rate_limit_exceeded" }
}

/** Azure names the model in the path. */
function deploymentOf(path: string): string | undefined {
  return /\/deployments\/([^/]+)\//.exec(path)?.[1]
}
