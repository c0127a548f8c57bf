import { setImmediate as nextTurn } from "node:timers/promises"
import type { Gateway } from "../gateway/pipeline.ts"
import type { Listener } from "./listen.ts"

/** A connection that carries no request for so long after the end was asked for carries none any more. */
const QUIET_MS = 300
const MAX_TURNS = 100

/** No new connection; the running answers end by themselves or, at the deadline, are cut. */
export async function drainRequests(given: {
  readonly listener: Listener
  readonly gateway: Gateway
  readonly timeoutMs: number
  /** By `performance.now()`. */
  lastRequestAt(): number
}): Promise<void> {
  const { listener, gateway, timeoutMs, lastRequestAt } = given
  // Connections that the system has taken already become ours, by a whole turn, before the door closes: it resets them.
  for (let turns = 0; turns < 2; turns++) await nextTurn()
  const closed = listener.close()
  const timer = setTimeout(() => {
    gateway.abortRunning()
    listener.cutAll()
  }, timeoutMs)
  // A kept-alive connection that is idle would hold the listener open until its own timeout. It is not cut while requests
  // come: one that is on the wire already gets its answer, if only that it must be sent to another gateway.
  let quietSince = performance.now()
  const idle = setInterval(() => {
    quietSince = gateway.openRequests() > 0 ? performance.now() : Math.max(quietSince, lastRequestAt())
    if (performance.now() - quietSince > QUIET_MS) listener.cutAll()
  }, 20)
  await closed
  clearTimeout(timer)
  clearInterval(idle)
  // Their ends follow those of their connections.
  for (let turns = 0; gateway.openRequests() > 0 && turns < MAX_TURNS; turns++) await nextTurn()
}
