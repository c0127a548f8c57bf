import { defineDialect } from "../_define.ts"
import { fileFramingOf, framingOf, isMedia } from "../_framing.ts"
import { readRequest } from "../_request.ts"
import { openai } from "../openai/index.ts"
import { createCollector } from "./collector.ts"
import { DESCRIPTION } from "./description.ts"
import { readJobs } from "./jobs.ts"
import { SOCKETS } from "./live/index.ts"
import { MODEL_LIST } from "./model-list.ts"
import { readOrder } from "./pieces.ts"
import { toReading } from "./reading.ts"
import { CLAIMS, isStreamed, modelIn, OPERATIONS, SURFACES } from "./routes.ts"

/** Gemini's API, its twin at Vertex, and its OpenAI-compatible surface. */
export const gemini = defineDialect({
  baseUrl: "https://generativelanguage.googleapis.com",
  routes: { claims: CLAIMS, surfaces: SURFACES, operations: OPERATIONS },
  modelList: MODEL_LIST,
  credentials: [
    { header: "x-goog-api-key" },
    { query: "key" },
    // An ephemeral token of the Live API.
    { query: "access_token", isForSockets: true },
    { header: "authorization", scheme: "bearer" },
  ],
  prepare(request, options) {
    const named = modelIn(request.path)
    // A native body does not name the model, and only one for Vertex can have the labels that attribute it.
    const isRead = named === undefined || request.path.includes("/projects/") || isCompatible(request)
    const facts = isRead ? readRequest(request, options) : undefined
    return {
      requestedModel: named ?? facts?.model,
      edit: undefined,
      createFilter: undefined,
      stream: isStreamed(request.path) || facts?.stream === true,
      attribution: facts?.attribution,
      json: facts?.json,
    }
  },
  framing(request, head) {
    const { kind } = OPERATIONS.find(request.method, request.path)
    if (kind === "compatible") return openai.framing(request, head)
    if (kind === "cache" || isMedia(head)) return "opaque"
    if (kind === "file") return fileFramingOf(head)
    // Without alt=sse a stream is one JSON array, whose elements come one by one.
    const isArray = head.isChunked && head.statusCode === 200 && isStreamed(request.path)
    return isArray && framingOf(head) === "document" ? "elements" : framingOf(head)
  },
  createCollector: (request) => (isCompatible(request) ? openai.createCollector(request) : createCollector(request)),
  sockets: SOCKETS,
  readOrder: (request) => (isCompatible(request) ? openai.readOrder?.(request) : readOrder(request)),
  jobs: (request) => (isCompatible(request) ? openai.jobs?.(request) : readJobs(request)),
  describes(request) {
    if (isCompatible(request)) return openai.describes?.(request)
    return request.method === "POST" ? DESCRIPTION : undefined
  },
  toReading: (evidence) => (isCompatible(evidence) ? openai.toReading(evidence) : toReading(evidence)),
  errorBody: (_code, statusCode, message) => {
    const status = STATUSES[statusCode] ?? (statusCode < 500 ? "INVALID_ARGUMENT" : "INTERNAL")
    return JSON.stringify({ error: { code: statusCode, message, status } })
  },
})

function isCompatible({ method, path }: { readonly method: string; readonly path: string }): boolean {
  return OPERATIONS.find(method, path).kind === "compatible"
}

/** Google's own words for each status. */
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
