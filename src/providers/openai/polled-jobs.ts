import type { JobState } from "../../core/job.ts"
import type { Shape } from "../../kit/json/prune.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { type JobReader, type JobSighting, toSightings } from "../_jobs.ts"
import { countOf, type JsonObject, objectOf, textOf } from "../_values.ts"
import { readAnswer } from "./collector.ts"
import { ANSWER_SHAPE } from "./shapes.ts"

/** A job that is one object, whose last state states what is billed. */
interface PolledKind {
  readonly kind: JobState["kind"]
  readonly object: string
  /** The members that are read beside those of any answer. */
  readonly shape: { readonly [name: string]: Shape }
  /** The path of a request that creates such a job: what is billed is read as in its answer. */
  readonly path: string
  readonly ended: RegExp
  readonly failed: RegExp
  /** Returns the path of the GET that shows the job; undefined: the object does not say it. */
  toPath(object: JsonObject, id: string): string | undefined
  /** The object states what is billed. */
  isBillable(object: JsonObject): boolean
}

const RUN: PolledKind = {
  kind: "run",
  object: "thread.run",
  shape: { thread_id: true },
  path: "/v1/threads/runs",
  ended: /^(completed|incomplete)$/,
  failed: /^(failed|cancelled|expired)$/,
  toPath(run, id) {
    const thread = textOf(run["thread_id"])
    return thread === undefined ? undefined : `/v1/threads/${thread}/runs/${id}`
  },
  isBillable: (run) => objectOf(run["usage"]) !== undefined,
}

const VIDEO: PolledKind = {
  kind: "video",
  object: "video",
  shape: {},
  path: "/v1/videos",
  ended: /^completed$/,
  failed: /^failed$/,
  toPath: (_video, id) => `/v1/videos/${id}`,
  isBillable: (video) => video["status"] === "completed",
}

/** Returns the reader for a request that creates, shows or cancels a run of an assistant. */
export function readRun(request: ProviderRequest): JobReader {
  return new PolledReader(RUN, request, request.path.endsWith("/runs"))
}

/** Returns the reader for a request that orders or shows a film, at OpenAI or xAI. */
export function readVideo(request: ProviderRequest): JobReader {
  const own = new PolledReader(VIDEO, request, request.method === "POST")
  return {
    shape: { ...own.shape, request_id: true },
    read: (answer) => (answer["object"] === VIDEO.object ? own.read(answer) : readXaiVideo(request, answer)),
  }
}

/** xAI states the id in the answer to the order alone, and then the cost of the film that was made. */
function readXaiVideo(request: ProviderRequest, answer: JsonObject): readonly JobSighting[] {
  const isCreation = request.method === "POST"
  const id = textOf(isCreation ? answer["request_id"] : /\/videos\/([^/]+)$/.exec(request.path)?.[1])
  if (id === undefined) return []
  const { status } = answer
  const state = status === "done" ? "done" : status === "failed" || status === "expired" ? "failed" : "running"
  const made = { ...request, method: "POST", path: "/v1/videos/generations" }
  const read = state === "done" ? () => readAnswer(made, answer) : undefined
  return toSightings({ kind: "video", id, state, fetch: `/v1/videos/${id}`, isCreation, read })
}

class PolledReader implements JobReader {
  readonly shape: { readonly [name: string]: Shape }
  private readonly polled: PolledKind
  private readonly request: ProviderRequest
  private readonly isCreation: boolean
  private readonly mark: string

  constructor(polled: PolledKind, request: ProviderRequest, isCreation: boolean) {
    this.polled = polled
    this.request = request
    this.isCreation = isCreation
    this.mark = `"${polled.object}"`
    this.shape = { ...ANSWER_SHAPE, ...polled.shape, id: true, object: true, status: true, created_at: true }
  }

  wants(data: Buffer): boolean {
    return data.includes(this.mark)
  }

  read(object: JsonObject): readonly JobSighting[] {
    const { polled } = this
    const id = textOf(object["id"])
    const status = textOf(object["status"])
    // The events of a stream also show steps and messages, whose usage is a part of the run's.
    if (id === undefined || status === undefined || object["object"] !== polled.object) return []
    const isBillable = polled.isBillable(object)
    const hasEnded = polled.ended.test(status) && isBillable
    const made = { ...this.request, method: "POST", path: polled.path }
    return toSightings({
      kind: polled.kind,
      id,
      state: polled.failed.test(status) ? "failed" : hasEnded ? "done" : "running",
      fetch: polled.toPath(object, id),
      isCreation: this.isCreation,
      read: isBillable ? () => readAnswer(made, object) : undefined,
      startedAt: startOf(object),
    })
  }
}

/** Returns when the provider created an object, in milliseconds since the epoch; undefined: it does not say. */
export function startOf(object: JsonObject): number | undefined {
  const createdAt = countOf(object["created_at"])
  return createdAt === undefined ? undefined : createdAt * 1000
}
