import { setImmediate as nextLoopTurn } from "node:timers/promises"
import type { Gateway } from "../gateway/gateway.ts"
import type { Listener } from "./listen.ts"

/** After this time without a request, connections are assumed to carry no more requests, and are closed. */
const QUIET_MS = 300
/** The last requests get at least this long to be recorded after their connections: what they received is decoded. */
const MIN_RECORD_MS = 2000

/** Takes no new connections and waits until running requests have ended and are recorded. Aborts them after `timeoutMs`. */
export async function drainRequests(options: {
  readonly listener: Listener
  readonly gateway: Gateway
  readonly timeoutMs: number
  /** The time of the latest request, by `performance.now()`. */
  lastRequestAt(): number
}): Promise<void> {
  const { listener, gateway, timeoutMs, lastRequestAt } = options
  const startedAt = performance.now()
  // Closing the listener resets connections that the system has accepted and Node has not. Two turns of the event loop
  // give Node the time to accept them.
  for (let turns = 0; turns < 2; turns++) await nextLoopTurn()
  const closed = listener.close()
  gateway.closeIdleSessions()
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
  const deadline = Math.max(startedAt + timeoutMs, performance.now() + MIN_RECORD_MS)
  const isRunning = () => gateway.openRequests() > 0 || gateway.unrecordedRequests() > 0
  while (isRunning() && performance.now() < deadline) await nextLoopTurn()
}
