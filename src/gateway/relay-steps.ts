import type { Ending, RawHeaders } from "../core/call.ts"
import type { ResponseHandler } from "../kit/http/exchange.ts"
import type { JobItem } from "../providers/_jobs.ts"
import type { Counters } from "./counters.ts"
import type { HeldAnswers } from "./held-answers.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import type { SessionOpening } from "./sockets/opening.ts"

/** The steps of the pipeline that the relay calls. */
export interface RelaySteps {
  readonly counters: Counters
  readonly writeTimeoutMs: number
  readonly held: HeldAnswers
  /** Somebody asks how answers describe themselves. */
  readonly describesRequests: boolean
  /** Sends the request to its provider, whose answer comes to `handler`. */
  forward(request: ProxiedRequest, handler: ResponseHandler, isEdited: boolean): void
  /** Stores one billed piece of a job, which the answer to a request shows. Never throws. */
  recordItem(request: ProxiedRequest, item: JobItem): void
  /** Relays a WebSocket until it ends. Its rows are the session's to settle. */
  openSession(opening: SessionOpening): void
  /** Called exactly once per request. It calls `onStored` when the row can no longer be lost. */
  settle(request: ProxiedRequest, ending: Ending, headers: RawHeaders, onStored: () => void): void
}

/**
 * - `waiting`: the provider has not answered yet.
 * - `collecting`: the answer is held back until it is complete, so that its cost can be sent in the head.
 * - `streaming`: the head was sent, and each piece is passed on as it arrives.
 * - `ended`: the one Ending is decided; whatever the provider or the client does now changes nothing.
 */
export type Phase = "waiting" | "collecting" | "streaming" | "ended"
