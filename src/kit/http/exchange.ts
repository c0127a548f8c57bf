import type { Duplex } from "node:stream"
import type { HttpRequest } from "./request-head.ts"

/** Receives the response to one request. Either `onComplete`, `onError` or `onUpgrade` ends it. */
export interface ResponseHandler {
  /** The request is about to be sent. @param abort ends the exchange at any time, and its connection; `onError` gets the reason */
  onConnect(abort: (reason: Error) => void): void
  /**
   * @param headers names and values alternate, in latin1, in the order and the spelling of the server
   * @param resume continues the body after a pause
   */
  onHeaders(status: number, headers: string[], resume: () => void, statusText: string): void
  /** Returns false to pause the body until `resume` is called. */
  onData(bytes: Buffer): boolean
  /** The response is whole. Its connection can be used for another request already. */
  onComplete(): void
  /** Never called by `dispatch` itself, always later. */
  onError(error: Error): void
  /** The server switched to the protocol that `upgrade` names. Bytes that came with the head are in the buffer of the socket. */
  onUpgrade?(status: number, headers: string[], socket: Duplex): void
}

/** One request and its response. */
export class Exchange {
  readonly request: HttpRequest
  readonly handler: ResponseHandler
  /** The head of the request as it is sent. */
  readonly head: string
  isEnded = false

  constructor(request: HttpRequest, head: string, handler: ResponseHandler) {
    this.request = request
    this.head = head
    this.handler = handler
  }

  /** The response is whole. A bug of the handler ends with an error. */
  complete(): void {
    try {
      this.handler.onComplete()
      this.isEnded = true
    } catch (error) {
      this.fail(error as Error)
    }
  }

  /** Ends with an error, unless it has ended. */
  fail(error: Error): void {
    if (this.isEnded) return
    this.isEnded = true
    this.handler.onError(error)
  }
}
