import type { JobState } from "../../core/job.ts"
import { NO_READING } from "../../core/usage.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { type JobItem, type JobReader, type JobSighting, toSightings } from "../_jobs.ts"
import { bytesOf, firstCount, type JsonObject, listOf, modelNameOf, objectOf, textOf } from "../_values.ts"
import { readAnswer } from "./collector.ts"
import { readResult } from "./result.ts"
import { OPERATIONS } from "./routes.ts"
import { ANSWER_SHAPE, RESULT_SHAPE, unwrap } from "./shapes.ts"

/** Returns the reader for requests that create, show or deliver a batch or an interaction in the background. */
export function readJobs(request: ProviderRequest): JobReader | undefined {
  const { kind, operation } = OPERATIONS.find(request.method, request.path)
  switch (kind) {
    case "batch":
      return new BatchReader(request, operation === "job")
    case "file":
      return new FileReader(request)
    case "interaction":
      return readInteraction(request)
    case "video":
      return new FilmReader(true)
    case "operation":
      return new FilmReader(false)
    default:
      return undefined
  }
}

const NOTHING: readonly JobSighting[] = []

const OUTPUT_SHAPE = {
  responsesFile: true,
  inlinedResponses: { inlinedResponses: [RESULT_SHAPE, "singly"] },
  inlinedEmbedContentResponses: { inlinedResponses: [RESULT_SHAPE, "singly"] },
} as const

/**
 * Reads a batch. Its results are in the same document, in one or two equal lists, or in a file. Those of Vertex are in a
 * bucket or a table, which no gateway sees.
 */
class BatchReader implements JobReader {
  readonly shape = {
    name: true,
    state: true,
    metadata: { state: true, model: true, batchStats: true, output: OUTPUT_SHAPE },
    response: OUTPUT_SHAPE,
  } as const
  private readonly request: ProviderRequest
  private readonly isCreation: boolean
  /** The number of results that were read in each of the two lists. */
  private readonly places = [0, 0]
  /** The places of the results that are billed. */
  private readonly billed = new Set<number>()

  constructor(request: ProviderRequest, isCreation: boolean) {
    this.request = request
    this.isCreation = isCreation
  }

  read(document: JsonObject): readonly JobSighting[] {
    const id = textOf(document["name"])
    if (id === undefined) return NOTHING
    const metadata = objectOf(document["metadata"])
    const model = modelNameOf(metadata?.["model"])
    const outputs = [objectOf(document["response"]), objectOf(metadata?.["output"])]
    const items = outputs.flatMap((output, list) => this.readInlined(output, list, { id, model }))
    const file = outputs.map((output) => textOf(output?.["responsesFile"])).find((name) => name !== undefined)
    const state = stateOf(textOf(metadata?.["state"]) ?? textOf(document["state"]))
    const stated = firstCount(objectOf(metadata?.["batchStats"])?.["successfulRequestCount"])
    const expected = this.billed.size || stated || (state === "failed" ? 0 : undefined)
    const note: JobState = {
      kind: "batch",
      id,
      state,
      ...(this.isCreation && { created: true }),
      ...(file !== undefined && { files: [file] }),
      fetch: file === undefined ? `/v1beta/${id}` : `/v1beta/${file}:download?alt=media`,
      ...(state !== "running" && expected !== undefined && { expected }),
    }
    return [...items, note]
  }

  /** The id of a result is its place, which is that of its request. */
  private readInlined(
    output: JsonObject | undefined,
    list: number,
    { id, model }: { readonly id: string; readonly model: string | undefined },
  ): readonly JobItem[] {
    const results = [output?.["inlinedResponses"], output?.["inlinedEmbedContentResponses"]]
    return results
      .flatMap((result) => listOf(objectOf(result)?.["inlinedResponses"]))
      .flatMap((result): readonly JobItem[] => {
        const place = this.places[list]!++
        const reading = this.billed.has(place) ? undefined : readResult(this.request, objectOf(result), model)
        if (!reading) return []
        this.billed.add(place)
        return [{ kind: "batch", source: id, item: String(place), reading }]
      })
  }
}

/** Returns the state of a batch of Gemini's API (`BATCH_STATE_…`) or Vertex (`JOB_STATE_…`). */
function stateOf(state = ""): JobState["state"] {
  if (/_(SUCCEEDED|PARTIALLY_SUCCEEDED)$/.test(state)) return "done"
  return /_(FAILED|CANCELLED|EXPIRED)$/.test(state) ? "failed" : "running"
}

/**
 * Reads the lines of a file, which may be a batch's results: one answer per line, with the key of its request. A line
 * without a key is known by the id of its answer, or else by its number.
 */
class FileReader implements JobReader {
  readonly shape = { key: true, ...RESULT_SHAPE } as const
  private readonly request: ProviderRequest
  private readonly source: string | undefined
  private lines = 0

  constructor(request: ProviderRequest) {
    this.request = request
    this.source = textOf(/\/(files\/[^/:]+):download$/.exec(request.path)?.[1])
  }

  read(line: JsonObject): readonly JobSighting[] {
    const { source } = this
    this.lines++
    const item = textOf(line["key"]) ?? textOf(objectOf(line["response"])?.["responseId"]) ?? `line ${this.lines}`
    const reading = readResult(this.request, line, undefined)
    return source === undefined || !reading ? NOTHING : [{ kind: "batch", source, item, reading }]
  }
}

const BACKGROUND = new QuotedName("background")
const INTERACTION_SHAPE = { ...ANSWER_SHAPE, id: true, status: true } as const

function readInteraction(request: ProviderRequest): JobReader | undefined {
  const isCreation = request.method === "POST" && request.path.endsWith("/interactions")
  return isCreation && !BACKGROUND.isIn(bytesOf(request.body)) ? undefined : new InteractionReader(request, isCreation)
}

/**
 * Reads an interaction. An answer does not say whether it was made in the background, so that the request decides: one
 * that was not is no job, and showing it again bills nothing unless jobs of unknown origin are billed.
 */
class InteractionReader implements JobReader {
  readonly shape = { ...INTERACTION_SHAPE, interaction: INTERACTION_SHAPE }
  private readonly request: ProviderRequest
  private readonly isCreation: boolean

  constructor(request: ProviderRequest, isCreation: boolean) {
    this.request = request
    this.isCreation = isCreation
  }

  read(document: JsonObject): readonly JobSighting[] {
    const interaction = unwrap(document)
    const id = textOf(interaction["id"])
    const status = textOf(interaction["status"])
    if (id === undefined || status === undefined) return NOTHING
    const hasUsage = objectOf(interaction["usage"]) !== undefined
    const hasFailed = /^(failed|cancelled)$/i.test(status)
    const state = hasFailed ? "failed" : hasUsage && /^(completed|incomplete)$/i.test(status) ? "done" : "running"
    const made = { ...this.request, method: "POST", path: "/v1beta/interactions" }
    return toSightings({
      kind: "interaction",
      id,
      state,
      fetch: `/v1beta/interactions/${id}`,
      isCreation: this.isCreation,
      read: hasUsage ? () => readAnswer(made, interaction) : undefined,
    })
  }
}

/**
 * Reads the order of a film and the operation that makes it. The row of the order has the cost, as an estimate, because
 * the operation does not state the length of the film. A film that could not be made is free.
 */
class FilmReader implements JobReader {
  readonly shape = { name: true, done: true, error: { code: true } } as const
  private readonly isCreation: boolean

  constructor(isCreation: boolean) {
    this.isCreation = isCreation
  }

  read(operation: JsonObject): readonly JobSighting[] {
    const id = textOf(operation["name"])
    if (id === undefined) return NOTHING
    if (this.isCreation) return [{ kind: "video", id, state: "running", created: true, fetch: `/v1beta/${id}` }]
    if (operation["done"] !== true) return [{ kind: "video", id, state: "running" }]
    if (objectOf(operation["error"]) === undefined) return [{ kind: "video", id, state: "done", expected: 0 }]
    const item = { kind: "video", source: id, item: "", completes: true } as const
    return [
      { kind: "video", id, state: "failed", expected: 0 },
      { ...item, reading: NO_READING, failed: true },
    ]
  }
}
