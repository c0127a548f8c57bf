import type { Countable } from "../core/usage.ts"
import type { Shape } from "../kit/json/prune.ts"
import type { RepeatedEvent } from "../kit/repeated-events.ts"
import type { JsonObject } from "./_values.ts"

/**
 * The facts about an answer's usage, as plain JSON data. A dialect's `toReading` makes the reading from it alone, so
 * an answer that is metered now, a stored answer that is priced again and an item of a batch are read in one way.
 */
export interface Evidence {
  readonly method: string
  /** The path of the request, without its query. */
  readonly path: string
  /** The model that answered; for a stored answer that named none, the model that was asked for. */
  readonly model: string | undefined
  /**
   * The provider's usage object, and beside its members what the provider bills and states elsewhere. The row's `usage`
   * column keeps it.
   */
  readonly usage: JsonObject | undefined
  /** `estimated`: the answer ended before its usage was complete. */
  readonly source: "reported" | "estimated"
  /** The provider does not bill this answer. */
  readonly isFree: boolean
}

/** One message of an AWS event stream. */
export interface AwsEvent {
  /** The type of the event or of the exception, such as `contentBlockDelta` or `throttlingException`. */
  readonly type: string
  /** The message is an exception, which ends the stream. */
  readonly isException: boolean
  /** A view that is valid only during the call. */
  readonly payload: Buffer
}

/** Collects the evidence from the JSON documents of one answer, in bounded memory. */
export interface Collector {
  /** The members that `add` reads. Of a document too large to be parsed nothing else is kept. */
  readonly shape: Shape
  /** Returns true if this event of a stream may matter. It is called for every event, so it searches bytes only. */
  wants(data: Buffer): boolean
  /**
   * After `wants` has returned false: the index of the opening quote of the only string whose content matters in this event;
   * -1: more matters, or nothing. An event that repeats it with other strings and numbers then comes as `addRepeated`.
   */
  readonly textAt?: number
  /** Takes such an event. Returns false if it has to be searched by `wants` after all. */
  addRepeated?(event: RepeatedEvent): boolean
  /**
   * Takes one document: the whole answer, or one event, line or element of it.
   * @param isCut the bytes ended inside the document, of which only the parts before are here
   */
  add(document: JsonObject, isCut?: boolean): void
  /**
   * Takes one message of an AWS event stream. `damaged`: a message is not valid, and nothing after it can be read.
   * `unfinished`: the bytes ended inside of a message.
   */
  addAwsEvent?(event: AwsEvent | "damaged" | "unfinished"): void
  /** The provider's message about the failure of a stream that had begun well; undefined: it did not fail. */
  readonly error?: string | undefined
  /** The approximate output tokens of a stream so far, by the length of its texts. It is read now and then while it runs. */
  readonly generatedTokens?: number | undefined
  /** Returns the evidence so far. `complete` is false when it was cut off. */
  evidence(complete: boolean): Evidence
  /** Returns the texts by which a tokenizer can improve evidence that was estimated from the length of texts. */
  countable?(estimated: Evidence): Countable | undefined
}
