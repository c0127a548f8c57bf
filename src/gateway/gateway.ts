import type { IncomingMessage, ServerResponse } from "node:http"
import type { Counters } from "./counters.ts"

/** The pipeline, as the server sees it. */
export interface Gateway {
  /** Proxies one request, whose response must have its socket. Never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /** The number of requests that are running. The handshake of a WebSocket is one until its connection closes. */
  openRequests(): number
  /** The number of admitted requests that have no row yet. A request can outlive its connection while it is decoded. */
  unrecordedRequests(): number
  readonly counters: Readonly<Counters>
  /** Closes each WebSocket as soon as none of its turns is running. Called when the gateway is about to stop. */
  closeIdleSessions(): void
  /** Must be called before the connections of running answers are closed, so that their rows say why they ended. */
  abortRunning(): void
  close(): Promise<void>
}
