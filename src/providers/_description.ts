import type { Countable } from "../core/usage.ts"
import { mergeShapes } from "../kit/json/merge-shapes.ts"
import type { Shape } from "../kit/json/prune.ts"
import type { RepeatedEvent } from "../kit/repeated-events.ts"
import type { AwsEvent, Collector, Evidence } from "./_evidence.ts"
import type { JobSink } from "./_jobs.ts"
import { countOf, type JsonObject, objectOf, textOf } from "./_values.ts"

/** A larger index is none of a choice: OpenAI's limit on choices is 128. */
const MAX_CHOICES = 128

/** An answer's own words about itself: its id, and why it ended. Only telemetry reads them. */
export class AnswerDescription {
  /** The provider's id of the answer; undefined: it has not named one. */
  id: string | undefined
  private readonly reasons: (string | undefined)[] = []

  /** The reasons why the choices of the answer ended, in the order of the choices. */
  get finishReasons(): readonly string[] {
    return this.reasons.filter((reason) => reason !== undefined)
  }

  addId(id: unknown): void {
    this.id ??= textOf(id)
  }

  /** @param index of the choice; anything but a number: the position in its list */
  addReason(reason: unknown, index: unknown = 0, position = 0): void {
    const text = textOf(reason)
    const at = countOf(index) ?? position
    if (text !== undefined && at < MAX_CHOICES) this.reasons[at] = text
  }

  /** Adds the reasons of a list of choices, which may be those of one event only. */
  addChoices(choices: readonly unknown[], name: string): void {
    choices.forEach((element, position) => {
      const choice = objectOf(element)
      this.addReason(choice?.[name], choice?.["index"] ?? null, position)
    })
  }
}

/** Reads the description from the JSON documents of one answer. */
export interface DescriptionReader {
  /** The members that `read` reads. Of a document too large to be parsed nothing else is kept. */
  readonly shape: Shape
  /** Returns true if this event of a stream says something that the usage does not tell. Without it: none does. */
  wants?(data: Buffer): boolean
  /** Adds what a document says: the whole answer, or one event of it. */
  read(document: JsonObject, description: AnswerDescription): void
  /** Adds what a message of an AWS event stream says. Without it: nothing. */
  readAwsEvent?(event: AwsEvent, description: AnswerDescription): void
}

/** Receives what a meter sees of an answer while it passes. */
export interface MeterSink extends JobSink {
  /** undefined: nobody asks for the description of the answer. */
  readonly description?: AnswerDescription | undefined
}

/** A collector that also reads from the same documents how the answer describes itself. */
export class DescribingCollector implements Collector {
  readonly shape: Shape
  readonly addRepeated: ((event: RepeatedEvent) => boolean) | undefined
  readonly countable: ((estimated: Evidence) => Countable | undefined) | undefined
  private readonly collector: Collector
  private readonly reader: DescriptionReader
  private readonly description: AnswerDescription

  constructor(collector: Collector, reader: DescriptionReader, description: AnswerDescription) {
    this.collector = collector
    this.reader = reader
    this.description = description
    this.shape = mergeShapes(collector.shape, reader.shape)
    this.addRepeated = collector.addRepeated?.bind(collector)
    this.countable = collector.countable?.bind(collector)
  }

  wants(data: Buffer): boolean {
    const isWanted = this.collector.wants(data)
    return isWanted || this.reader.wants?.(data) === true
  }

  get textAt(): number {
    return this.collector.textAt ?? -1
  }

  add(document: JsonObject, isCut?: boolean): void {
    this.reader.read(document, this.description)
    this.collector.add(document, isCut)
  }

  addAwsEvent(event: AwsEvent | "damaged" | "unfinished"): void {
    if (typeof event === "object") this.reader.readAwsEvent?.(event, this.description)
    this.collector.addAwsEvent?.(event)
  }

  get error(): string | undefined {
    return this.collector.error
  }

  get generatedTokens(): number | undefined {
    return this.collector.generatedTokens
  }

  evidence(isComplete: boolean): Evidence {
    return this.collector.evidence(isComplete)
  }
}
