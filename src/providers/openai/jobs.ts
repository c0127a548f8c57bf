import type { JobState } from "../../core/job.ts"
import { NO_READING } from "../../core/usage.ts"
import type { ProviderRequest } from "../_dialect.ts"
import type { JobReader, JobSighting } from "../_jobs.ts"
import { bytesOf, countOf, type JsonObject, objectOf, textOf } from "../_values.ts"
import { ANSWER_SHAPE, readAnswer } from "./collector.ts"
import { OPERATIONS } from "./routes.ts"

const BACKGROUND = Buffer.from('"background"')

/** Returns the reader for requests that create or show a background response. */
export function readJobs(request: ProviderRequest): JobReader | undefined {
  switch (OPERATIONS.find(request.method, request.path).kind) {
    case "responses":
      return bytesOf(request.body).includes(BACKGROUND) ? new ResponseReader(request, true) : undefined
    case "response":
      return new ResponseReader(request, false)
    default:
      return undefined
  }
}

const NOTHING: readonly JobSighting[] = []
const RESPONSE_SHAPE = { ...ANSWER_SHAPE, id: true, status: true, background: true, created_at: true } as const
/** The events that end a response without its usage. */
const ENDINGS = ["response.failed", "response.cancelled"]

/** Reads a background response, whole or streamed. Other responses are billed where they are made. */
class ResponseReader implements JobReader {
  readonly shape = { ...RESPONSE_SHAPE, response: RESPONSE_SHAPE }
  private readonly request: ProviderRequest
  private readonly isCreation: boolean

  constructor(request: ProviderRequest, isCreation: boolean) {
    this.request = request
    this.isCreation = isCreation
  }

  wants(data: Buffer): boolean {
    return ENDINGS.some((event) => data.includes(event))
  }

  read(document: JsonObject): readonly JobSighting[] {
    const response = objectOf(document["response"]) ?? document
    const id = textOf(response["id"])
    if (id === undefined || response["background"] !== true) return NOTHING
    const hasUsage = objectOf(response["usage"]) !== undefined
    const state = stateOf(response["status"], hasUsage)
    const note: JobState = { kind: "response", id, state, expected: state === "failed" && !hasUsage ? 0 : 1 }
    if (this.isCreation) return [{ ...note, created: true, ...(hasUsage && { billed: true }) }]
    if (state === "running") return [note]
    const item = { kind: "response", source: id, item: "", completes: true } as const
    // Without usage only a failed response is here. It is free.
    if (!hasUsage) return [note, { ...item, reading: NO_READING, failed: true }]
    const made = { ...this.request, method: "POST", path: "/v1/responses" }
    const createdAt = countOf(response["created_at"])
    const startedAt = createdAt === undefined ? undefined : createdAt * 1000
    return [note, { ...item, reading: readAnswer(made, response), startedAt }]
  }
}

/** Returns `running` for a response that says that it is complete and does not state its usage yet. */
function stateOf(status: unknown, hasUsage: boolean): JobState["state"] {
  if (status === "failed" || status === "cancelled") return "failed"
  if (status === "completed" || status === "incomplete") return hasUsage ? "done" : "running"
  return "running"
}
