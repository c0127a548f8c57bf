import type { Fields } from "./fields.ts"

/**
 * A request that another product has recorded, in the terms of the gateway. The token counts do not overlap: each token is in exactly
 * one of them.
 */
export interface ForeignRequest {
  /** The source's own id of the request, which is the same in every export. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly endedAt: number
  readonly firstByteMs?: number | undefined
  readonly provider: string
  /** The model that answered. */
  readonly model: string
  readonly requestedModel?: string | undefined
  readonly path: string
  readonly tokens: ForeignTokens
  /** USD as plain decimals. A cost that the source does not know is undefined. */
  readonly cost: {
    readonly total?: string | undefined
    readonly input?: string | undefined
    readonly output?: string | undefined
  }
  /** The reason why the request cost nothing, such as an answer from a cache; undefined if it was billed, or may have been. */
  readonly free?: string | undefined
  readonly statusCode: number
  readonly error?: string | undefined
  readonly isStreamed: boolean
  readonly metadata: Readonly<Record<string, string>>
}

export interface ForeignTokens {
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly cacheWrite1h: number
  readonly output: number
  readonly reasoning: number
}

/** A record that is not a request to a model, such as a span of a trace, with the reason in a few words. */
export interface SkippedRecord {
  readonly skip: string
}

/** Reads the records of one product. */
export interface ImportSource {
  /** The name of the product, for people. */
  readonly title: string
  /** @throws RecordProblem if the record lacks what a row needs */
  read(fields: Fields): ForeignRequest | SkippedRecord
}
