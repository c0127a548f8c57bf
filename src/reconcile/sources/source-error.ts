/** Why a provider's bill could not be read. */
type SourceErrorReason = "unauthorized" | "forbidden" | "expired" | "rate_limited" | "unavailable" | "unexpected_answer"

/**
 * A bill could not be read. The message says in whole sentences what happened and what to do. It contains no secret, and
 * the error has no cause, because the errors of connections contain addresses.
 */
export class SourceError extends Error {
  override readonly name = "SourceError"
  readonly reason: SourceErrorReason
  /** The HTTP status of the answer; undefined if there was none. */
  readonly status: number | undefined

  constructor(reason: SourceErrorReason, message: string, status?: number) {
    super(message)
    this.reason = reason
    this.status = status
  }
}
