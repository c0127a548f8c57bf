import { setImmediate as nextLoopTurn } from "node:timers/promises"
import type { Gateway } from "../gateway/pipeline.ts"
import type { Listener } from "./listen.ts"

/** After this time without a request, connections are assumed to carry no more requests, and are closed. */
const QUIET_MS = 300
/** How many turns of the event loop the last requests may take to end after their connections. */
const MAX_TURNS = 100

/** Takes no new connections and waits until running requests have ended. Aborts them after `timeoutMs`. */
export async function drainRequests(options: {
  readonly listener: Listener
  readonly gateway: Gateway
  readonly timeoutMs: number
  /** The time of the latest request, by `performance.now()`. */
  lastRequestAt(): number
}): Promise<void> {
  const { listener, gateway, timeoutMs, lastRequestAt } = options
  // Closing the listener resets connections that the system has accepted and Node has not. Two turns of the event loop
  // give Node the time to accept them.
  for (let turns = 0; turns < 2; turns++) await nextLoopTurn()
  const closed = listener.close()
  const timer = setTimeout(() => {
    gateway.abortRunning()
    listener.closeConnections()
  }, timeoutMs)
  // An idle keep-alive connection would hold the listener open until its own timeout. Idle connections stay open while
  // requests arrive, so that a request that is on its way gets a response, even if it is only a 503.
  let quietSince = performance.now()
  const idle = setInterval(() => {
    quietSince = gateway.openRequests() > 0 ? performance.now() : Math.max(quietSince, lastRequestAt())
    if (performance.now() - quietSince > QUIET_MS) listener.closeConnections()
  }, 20)
  await closed
  clearTimeout(timer)
  clearInterval(idle)
  // Requests end shortly after their connections.
  for (let turns = 0; gateway.openRequests() > 0 && turns < MAX_TURNS; turns++) await nextLoopTurn()
}
