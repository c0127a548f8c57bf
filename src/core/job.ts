/** Work that a provider does in the background. Its usage is in a later answer than that of the request that created it. */
type JobKind = "response" | "batch" | "run" | "interaction" | "video"

/** The state of a job as an answer shows it. It belongs to the row of the request that got the answer. */
export interface JobState {
  readonly kind: JobKind
  /** The provider's own id of the job. */
  readonly id: string
  /** `failed`: it ended, and what it did not finish is not billed. */
  readonly state: "running" | "done" | "failed"
  /** This request created the job. */
  readonly created?: true
  /** This answer contains the usage of the whole job, so that its row bills the job. */
  readonly billed?: true
  /** The ids of the files that contain the results. */
  readonly files?: readonly string[]
  /** The path of the GET by which a client fetches the usage, or the next step towards it. */
  readonly fetch?: string
  /** The number of items that the provider bills. */
  readonly expected?: number
}

/** A download has delivered all results of a job, or a whole file of them. */
interface JobFetched {
  readonly kind: JobKind
  /** The id of the job, or of the file. */
  readonly fetched: string
}

/** Returns true for the note of a request whose work goes on in the background, so that its usage comes later. */
export function isRunningJob(job: JobNote | undefined): boolean {
  return job !== undefined && "created" in job && job.state === "running" && job.billed === undefined
}

/** One billed piece of a job. Its record has the usage and the cost; it becomes a row at most once. */
export interface JobItemKey {
  readonly kind: JobKind
  /** The id of the job, or of the file with its results. */
  readonly source: string
  /** The provider's id of the item; `""` where the job is one piece of work. */
  readonly item: string
  /** The usage belongs into the row of the request that created the job, instead of a row of its own. */
  readonly completes?: true
  /** Bills the item even if no request through a gateway created its job (`metering.foreign_jobs`). */
  readonly foreign?: true
}

/** A note about a job for the ledger, beside a row. The names of the members are part of the journal's format. */
export type JobNote = JobState | JobFetched | JobItemKey
