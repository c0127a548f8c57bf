/** What limits need to know about a request before it is forwarded. */
export interface LimitedRequest {
  /** The id of its row. */
  readonly id: string
  readonly keyId: string
  readonly provider: string
  readonly requestedModel: string
  readonly metadata: Readonly<Record<string, string>>
  /** The provider does not charge for this operation. */
  readonly isFree: boolean
  /** The login of a subscription pays for it. */
  readonly isSubscribed: boolean
  /** It opens a WebSocket, whose responses are requests of their own: it is none of those that run at the same time. */
  readonly opensSession?: boolean
  /**
   * Returns what the request is expected to use, or what it can use at most. Called at most once per kind, and only if a
   * limit that applies needs it.
   */
  estimate(kind: "expected" | "maximum"): Estimate
}

/** An amount of tokens and money. */
export interface Estimate {
  readonly inputTokens: number
  readonly outputTokens: number
  /** nano-USD (10^-9 USD), rounded up; undefined: the price is not known. */
  readonly cost: number | undefined
}

/** What an answer has used. */
export interface LimitUsage extends Estimate {
  /** The model that answered. */
  readonly model: string
}

/** The part of all limits that apply to a request which is reserved for it. It ends with `settle` or `release`. */
export interface Reservation {
  /** Returns what the tightest limit has left, for a header: `NAME=12.34`. Names are ASCII; other characters are percent-encoded. */
  remaining(): string | undefined
  /** Reserves more, because the answer has used more than was reserved. It is never rejected. */
  extend(used: Estimate): void
  /**
   * The row of the request was given to the ledger; call it in the same tick. The exact amounts stay counted until the row is
   * in the database. Concurrency ends here.
   */
  settle(usage: LimitUsage): void
  /** There will be no row, or one that limits do not count. */
  release(): void
}

/** The limits of a gateway, as the pipeline of a request uses them. */
export interface RequestLimits {
  /** Whether there is no limit at all. The hot path asks nothing else then. */
  readonly isEmpty: boolean
  /**
   * Reserves what a request may use, in all limits that apply or in none. Answers at once while the leases suffice.
   * @returns undefined if no limit applies
   * @throws LimitError, also as a rejection
   */
  reserve(request: LimitedRequest): Reservation | undefined | Promise<Reservation | undefined>
  /** Returns the output tokens that nearly all requests (95 %) of a key to a model stay below; undefined: not known yet. */
  expectedOutput(keyId: string, model: string): number | undefined
}
