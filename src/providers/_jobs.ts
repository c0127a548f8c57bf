import type { JobItemKey, JobState } from "../core/job.ts"
import { NO_READING, type Reading } from "../core/usage.ts"
import { mergeShapes } from "../kit/json/merge-shapes.ts"
import type { Shape } from "../kit/json/prune.ts"
import type { Collector, Evidence } from "./_evidence.ts"
import type { JsonObject } from "./_values.ts"

/**
 * One billed piece of a job, as an answer shows it. The answer may show it any number of times: the ledger bills it
 * once, by `source` and `item`.
 */
export interface JobItem extends Omit<JobItemKey, "foreign"> {
  readonly reading: Reading
  /** The job ended without a result. Without usage it is free. */
  readonly failed?: true
  /** When the provider did the work, in milliseconds since the epoch; undefined: the answer does not say. */
  readonly startedAt?: number | undefined
}

/** One statement about a job, which a document of an answer makes. */
export type JobSighting = JobState | JobItem

/** Reads what the JSON documents of one answer say about jobs. */
export interface JobReader {
  /** The members that `read` reads. Of a document too large to be parsed nothing else is kept. */
  readonly shape: Shape
  /** Returns true if this event of a stream says something that the usage does not tell. Without it: none does. */
  wants?(data: Buffer): boolean
  /** Returns what a document says: the whole answer, or one event, line or element of it. */
  read(document: JsonObject): readonly JobSighting[]
}

/** A job that is one piece of work, as one answer shows it. */
interface SingleJob extends Required<Pick<JobState, "kind" | "id" | "state">>, Pick<JobState, "fetch"> {
  /** The answer is that of the request that created the job. */
  readonly isCreation: boolean
  /** Reads what is billed; undefined: the answer does not state it. */
  readonly read: (() => Reading) | undefined
  /** When the provider began, in milliseconds since the epoch; undefined: the answer does not say. */
  readonly startedAt?: number | undefined
}

/**
 * Returns what an answer says about a job that is one piece of work. What is billed completes the row of its creation,
 * once the job has ended. A job that failed without usage is free.
 */
export function toSightings({ isCreation, read, startedAt, ...job }: SingleJob): readonly JobSighting[] {
  const { kind, id, state } = job
  const hasEnded = state !== "running"
  const note: JobState = { ...job, expected: state === "failed" && !read ? 0 : 1 }
  if (isCreation) return [{ ...note, created: true, ...(hasEnded && read && { billed: true }) }]
  if (!hasEnded) return [note]
  const item = { kind, source: id, item: "", completes: true } as const
  return [note, read ? { ...item, reading: read(), startedAt } : { ...item, reading: NO_READING, failed: true }]
}

/** Receives sightings while the answer passes. */
export interface JobSink {
  onJob(sighting: JobSighting): void
}

/** A collector that also reads what the same documents say about jobs. */
export class JobCollector implements Collector {
  readonly shape: Shape
  readonly countable: Collector["countable"]
  private readonly collector: Collector
  private readonly reader: JobReader
  private readonly sink: JobSink

  constructor(collector: Collector, reader: JobReader, sink: JobSink) {
    this.collector = collector
    this.reader = reader
    this.sink = sink
    this.shape = mergeShapes(collector.shape, reader.shape)
    this.countable = collector.countable?.bind(collector)
  }

  wants(data: Buffer): boolean {
    const isWanted = this.collector.wants(data)
    return isWanted || this.reader.wants?.(data) === true
  }

  add(document: JsonObject, isCut = false): void {
    // A document that was cut is shown again by the next answer. Its usage may be cut too.
    if (!isCut) this.report(document)
    this.collector.add(document, isCut)
  }

  private report(document: JsonObject): void {
    for (const sighting of this.reader.read(document)) this.sink.onJob(sighting)
  }

  get generatedTokens(): number | undefined {
    return this.collector.generatedTokens
  }

  evidence(isComplete: boolean): Evidence {
    return this.collector.evidence(isComplete)
  }
}
