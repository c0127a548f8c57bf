/** The reason for which a server gave no whole response. */
type HttpFailure =
  /** The request has a path or a header that HTTP does not allow; nothing was sent. */
  | "invalid_request"
  /** No connection was made in time. */
  | "connect_timeout"
  /** The head of the response did not arrive in time. */
  | "head_timeout"
  /** The response stopped in the middle. */
  | "body_timeout"
  /** The server closed the connection before the response was whole. */
  | "closed"
  /** The server sent something that is no HTTP. */
  | "invalid_response"
  /** The pool was closed while the request ran. */
  | "pool_closed"

/** Failure of a request for which node has no error of its own. The message has no address and no header. */
export class HttpError extends Error {
  override readonly name = "HttpError"
  readonly failure: HttpFailure

  constructor(failure: HttpFailure, message: string) {
    super(message)
    this.failure = failure
  }
}
