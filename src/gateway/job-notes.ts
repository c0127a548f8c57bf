import type { JobItemKey } from "../core/job.ts"
import type { JobItem, JobSighting, JobSink } from "../providers/_jobs.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

interface JobSteps {
  recordItem(request: ProxiedRequest, item: JobItem): void
}

/** Adds to a request what its answer says about jobs of the provider. */
export class JobNotes implements JobSink {
  private readonly steps: JobSteps
  private readonly request: ProxiedRequest
  /** The file or job whose items the answer delivers. */
  private delivered: JobItemKey | undefined

  constructor(steps: JobSteps, request: ProxiedRequest) {
    this.steps = steps
    this.request = request
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
