import type { Ending, RawHeaders } from "../../core/call.ts"
import type { JobItem } from "../../providers/_jobs.ts"
import type { createRequestBuilder } from "../build-request.ts"
import type { Counters } from "../counters.ts"
import type { Deps } from "../deps.ts"
import type { createIdentify } from "../identify.ts"
import type { ProxiedRequest } from "../proxied-request.ts"

type SessionDeps = Pick<
  Deps,
  "dialects" | "ledger" | "limits" | "settings" | "price" | "pricesVersion" | "boundsOf" | "openMessages" | "onError"
>

/** The parts and the steps of the pipeline that WebSocket sessions use for their turns. */
export interface SessionSteps {
  readonly deps: SessionDeps
  readonly counters: Counters
  /** Somebody asks how answers describe themselves. */
  readonly describesRequests: boolean
  readonly identify: ReturnType<typeof createIdentify>
  readonly build: ReturnType<typeof createRequestBuilder>
  /** Must be called for each turn that needs a row of its own. `settle` ends it. */
  onTurn(): void
  recordItem(request: ProxiedRequest, item: JobItem): void
  /** Called exactly once per request. */
  settle(request: ProxiedRequest, ending: Ending, headers: RawHeaders, onStored: () => void): void
}
