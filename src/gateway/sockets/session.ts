import { NO_READING } from "../../core/usage.ts"
import type { RelaySteps } from "../relay-steps.ts"
import type { SessionOpening } from "./opening.ts"
import { openTunnel } from "./tunnel.ts"

/** Relays a WebSocket and stores one row when it has ended. */
export function openSession(steps: RelaySteps, { request, headers, client, provider, firstByteMs }: SessionOpening) {
  openTunnel(
    {
      client,
      provider,
      extensions: undefined,
      writeTimeoutMs: steps.writeTimeoutMs,
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
