import type { JobItemKey } from "../core/job.ts"
import { AnswerDescription, type MeterSink } from "../providers/_description.ts"
import type { JobItem, JobSighting } from "../providers/_jobs.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

interface JobSteps {
  /** Somebody asks how answers describe themselves. */
  readonly describesRequests: boolean
  recordItem(request: ProxiedRequest, item: JobItem): void
}

/** Adds to a request what its answer says about jobs of the provider, and about itself. */
export class JobNotes implements MeterSink {
  readonly description: AnswerDescription | undefined
  private readonly steps: JobSteps
  private readonly request: ProxiedRequest
  /** The file or job whose items the answer delivers. */
  private delivered: JobItemKey | undefined

  constructor(steps: JobSteps, request: ProxiedRequest) {
    this.steps = steps
    this.request = request
    if (steps.describesRequests) this.description = request.description = new AnswerDescription()
  }

  onJob(sighting: JobSighting): void {
    const { request } = this
    if ("item" in sighting) {
      if (sighting.item !== "") this.delivered = sighting
      this.steps.recordItem(request, sighting)
    } else {
      request.job = sighting
    }
  }

  /** The answer is complete, and not a part of a file. */
  onWhole(): void {
    const { delivered, request } = this
    if (delivered) request.job ??= { kind: delivered.kind, fetched: delivered.source }
  }
}
