import type { Reading } from "../core/usage.ts"
import type { Shape } from "../kit/json/prune.ts"

export type JsonObject = Readonly<Record<string, unknown>>

/** What a dialect does with the JSON documents of one answer: it folds them, one by one, into a reading. */
export interface Fold {
  /** May this event of a stream matter? Asked of every event's bytes, so it only looks and never parses. */
  wants(data: Buffer): boolean
  /** One document: the whole answer, one event, one line or one element. */
  add(document: JsonObject): void
  /** The members that `add` reads: all that is kept of a document too large to be parsed. */
  readonly shape: Shape
  reading(complete: boolean): Reading
}
