import type { ProviderRequest } from "../_dialect.ts"
import type { JobReader, JobSighting } from "../_jobs.ts"
import { countOf, type JsonObject, objectOf, textOf } from "../_values.ts"
import { MESSAGE_SHAPE, withAdded } from "./collector.ts"
import { toReading } from "./reading.ts"
import { OPERATIONS } from "./routes.ts"

/** Returns the reader for requests that create or show a batch of messages, or deliver its results. */
export function readJobs(request: ProviderRequest): JobReader | undefined {
  const { kind, operation } = OPERATIONS.find(request.method, request.path)
  switch (kind) {
    case "batch":
      return new BatchReader(operation === "job")
    case "results":
      return new ResultsReader(request)
    default:
      return undefined
  }
}

const NOTHING: readonly JobSighting[] = []

/** Reads a batch. Its messages are billed by the lines of its results. */
class BatchReader implements JobReader {
  readonly shape = { id: true, type: true, processing_status: true, request_counts: true } as const
  private readonly isCreation: boolean

  constructor(isCreation: boolean) {
    this.isCreation = isCreation
  }

  read(batch: JsonObject): readonly JobSighting[] {
    const id = textOf(batch["id"])
    if (id === undefined || batch["type"] !== "message_batch") return NOTHING
    const hasEnded = batch["processing_status"] === "ended"
    const succeeded = hasEnded ? countOf(objectOf(batch["request_counts"])?.["succeeded"]) : undefined
    return [
      {
        kind: "batch",
        id,
        state: hasEnded ? "done" : "running",
        ...(this.isCreation && { created: true }),
        fetch: `/v1/messages/batches/${id}${hasEnded ? "/results" : ""}`,
        ...(succeeded !== undefined && { expected: succeeded }),
      },
    ]
  }
}

/** Reads the lines of a batch's results: one message per line. Only those that succeeded are billed. */
class ResultsReader implements JobReader {
  readonly shape = { custom_id: true, result: { type: true, message: MESSAGE_SHAPE } } as const
  private readonly request: ProviderRequest
  private readonly source: string | undefined

  constructor(request: ProviderRequest) {
    this.request = request
    this.source = textOf(/\/batches\/([^/]+)\/results$/.exec(request.path)?.[1])
  }

  read(line: JsonObject): readonly JobSighting[] {
    const { source } = this
    const item = textOf(line["custom_id"])
    const message = objectOf(objectOf(line["result"])?.["message"])
    const stated = objectOf(message?.["usage"])
    if (source === undefined || item === undefined || !message || !stated) return NOTHING
    const { method, path } = this.request
    const usage = { ...withAdded(stated, objectOf(message["container"]) !== undefined), service_tier: "batch" }
    const reading = toReading({
      method,
      path,
      model: textOf(message["model"]),
      usage,
      source: "reported",
      isFree: false,
    })
    return reading.parts.length === 0 ? NOTHING : [{ kind: "batch", source, item, reading }]
  }
}
