import type { JobState } from "../../core/job.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { type JobReader, type JobSighting, toSightings } from "../_jobs.ts"
import { bytesOf, countOf, type JsonObject, objectOf, textOf } from "../_values.ts"
import { readAnswer } from "./collector.ts"
import { readRun, readVideo, startOf } from "./polled-jobs.ts"
import { OPERATIONS } from "./routes.ts"
import { ANSWER_SHAPE } from "./shapes.ts"

const BACKGROUND = new QuotedName("background")

/** Returns the reader for requests that create or show a background response or a batch, or deliver a batch's results. */
export function readJobs(request: ProviderRequest): JobReader | undefined {
  const { kind, operation } = OPERATIONS.find(request.method, request.path)
  switch (kind) {
    case "responses":
      return BACKGROUND.isIn(bytesOf(request.body)) ? new ResponseReader(request, true) : undefined
    case "response":
      return new ResponseReader(request, false)
    case "batch":
      return new BatchReader(operation === "job")
    case "batch_output":
      return new OutputReader(request)
    case "run":
      return readRun(request)
    case "videos":
    case "video":
      return readVideo(request)
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
    const made = { ...this.request, method: "POST", path: "/v1/responses" }
    return toSightings({
      kind: "response",
      id,
      state: stateOf(response["status"], hasUsage),
      fetch: `/v1/responses/${id}`,
      isCreation: this.isCreation,
      read: hasUsage ? () => readAnswer(made, response) : undefined,
      startedAt: startOf(response),
    })
  }
}

/** Returns `running` for a response that says that it is complete and does not state its usage yet. */
function stateOf(status: unknown, hasUsage: boolean): JobState["state"] {
  if (status === "failed" || status === "cancelled") return "failed"
  if (status === "completed" || status === "incomplete") return hasUsage ? "done" : "running"
  return "running"
}

/** The states in which a batch's results do not change any more. */
const ENDED = new Set(["completed", "expired", "cancelled"])

/** Reads a batch. Its requests are billed by the lines of its output file. */
class BatchReader implements JobReader {
  readonly shape = {
    id: true,
    object: true,
    status: true,
    output_file_id: true,
    error_file_id: true,
    request_counts: true,
  } as const
  private readonly isCreation: boolean

  constructor(isCreation: boolean) {
    this.isCreation = isCreation
  }

  read(batch: JsonObject): readonly JobSighting[] {
    const id = textOf(batch["id"])
    if (id === undefined || batch["object"] !== "batch") return NOTHING
    const status = textOf(batch["status"]) ?? ""
    const state = status === "failed" ? "failed" : ENDED.has(status) ? "done" : "running"
    const completed = countOf(objectOf(batch["request_counts"])?.["completed"])
    const output = textOf(batch["output_file_id"])
    const files = [output, textOf(batch["error_file_id"])].filter((file) => file !== undefined)
    return [
      {
        kind: "batch",
        id,
        state,
        ...(this.isCreation && { created: true }),
        ...(files.length > 0 && { files }),
        fetch: output === undefined ? `/v1/batches/${id}` : `/v1/files/${output}/content`,
        ...(state !== "running" && completed !== undefined && { expected: completed }),
      },
    ]
  }
}

/** Reads the lines of a file, which may be a batch's results: one answer per line. */
class OutputReader implements JobReader {
  readonly shape = { id: true, custom_id: true, response: { body: ANSWER_SHAPE } } as const
  private readonly request: ProviderRequest
  private readonly source: string | undefined

  constructor(request: ProviderRequest) {
    // A line does not contain the path of its request, and its reading does not depend on it.
    this.request = { ...request, method: "POST", path: "" }
    this.source = textOf(/\/files\/([^/]+)\/content$/.exec(request.path)?.[1])
  }

  read(line: JsonObject): readonly JobSighting[] {
    const { source } = this
    const item = textOf(line["id"]) ?? textOf(line["custom_id"])
    const answer = objectOf(objectOf(line["response"])?.["body"])
    if (source === undefined || item === undefined || !answer) return NOTHING
    // The tier that a line states is that of its request. The row keeps the one that is billed, so that it can be priced again.
    const reading = readAnswer(this.request, { ...answer, service_tier: "batch" })
    return reading.parts.length === 0 ? NOTHING : [{ kind: "batch", source, item, reading }]
  }
}
