/** A message could not be delivered. The error's message is for people and contains no secret. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError"
  /** Another attempt cannot succeed: the receiver rejects the message, or does not know the address. */
  readonly isPermanent: boolean
  /** How long the receiver asks to wait; undefined: it does not say. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    { isPermanent = false, retryAfterMs }: { isPermanent?: boolean; retryAfterMs?: number | undefined } = {},
  ) {
    super(message)
    this.isPermanent = isPermanent
    this.retryAfterMs = retryAfterMs
  }
}
