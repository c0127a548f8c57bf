import { findRaw } from "../../core/raw-headers.ts"
import { NO_READING } from "../../core/usage.ts"
import type { MemoryBudget } from "../../kit/websocket/memory-budget.ts"
import type { RelaySteps } from "../relay-steps.ts"
import type { SessionOpening } from "./opening.ts"
import { openTunnel, type Tunnel } from "./tunnel.ts"

/** Relays a WebSocket and stores one row when it has ended. */
export function openSession(steps: RelaySteps, budget: MemoryBudget, opening: SessionOpening): Tunnel {
  const { request, headers, client, provider, firstByteMs } = opening
  return openTunnel(
    {
      client,
      provider,
      extensions: findRaw(headers, "sec-websocket-extensions"),
      writeTimeoutMs: steps.writeTimeoutMs,
      budget,
    },
    {
      onMessage: () => "pass",
      onUnread: () => {},
      onEnd() {
        const reading = { ...NO_READING, free: true }
        const ending = { statusCode: 101, firstByteMs, streamed: true, error: undefined, reading }
        steps.settle(request, { ...ending, outcome: "complete", respondedAt: request.now() }, headers, () => {})
      },
    },
  )
}
