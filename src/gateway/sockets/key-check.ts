import type { Caller } from "../../core/call.ts"
import { checkPolicy } from "../policy.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import type { SessionSteps } from "./session-steps.ts"

/** Looks up again the client of a session, whose key may have been changed, revoked or replaced since the handshake. */
export class KeyCheck {
  /** The client as it was last found. */
  caller: Caller
  private readonly steps: SessionSteps
  private readonly handshake: ProxiedRequest
  private readonly onError: (error: unknown) => void
  private isRunning = false

  /** @param onError gets the error if a key that is checked in the background cannot be used, or cannot be checked */
  constructor(steps: SessionSteps, handshake: ProxiedRequest, onError: (error: unknown) => void) {
    this.steps = steps
    this.handshake = handshake
    this.onError = onError
    this.caller = handshake.caller
  }

  /** @throws GatewayError, also as a rejection, if the key may no longer be used, or cannot be checked */
  findCaller(): Caller | Promise<Caller> {
    const { call, response } = this.handshake
    const found = this.steps.identify(call, response.req.socket)
    return found instanceof Promise ? found.then((caller) => this.accept(caller)) : this.accept(found)
  }

  /** Checks the key now, and waits for nothing. */
  start(): void {
    if (this.isRunning) return
    try {
      const found = this.findCaller()
      if (found instanceof Promise) void this.finish(found)
    } catch (error) {
      this.onError(error)
    }
  }

  private async finish(found: Promise<Caller>): Promise<void> {
    this.isRunning = true
    try {
      await found
    } catch (error) {
      this.onError(error)
    } finally {
      this.isRunning = false
    }
  }

  private accept(caller: Caller): Caller {
    checkPolicy(caller.policy, this.handshake.route.provider, Date.now())
    this.caller = caller
    return caller
  }
}
