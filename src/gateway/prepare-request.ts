import type { Body } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import { isLarge, NO_BODY } from "./body.ts"
import type { Admitted, createRequestBuilder } from "./build-request.ts"
import type { createIdentify } from "./identify.ts"
import { checkPolicy } from "./policy.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import { type BodyLimits, ClientLeft } from "./read-body.ts"
import { decodeBody, isEncoded } from "./readable-body.ts"
import { type Arrival, receiveBody } from "./receive.ts"

/** A body that takes longer did not arrive with its head. Its key may have been revoked or have expired meanwhile. */
const SLOW_BODY_MS = 1

interface Parts {
  readonly identify: ReturnType<typeof createIdentify>
  readonly build: ReturnType<typeof createRequestBuilder>
  readonly bodyLimits: BodyLimits
  /** Stores the row of a request whose body did not arrive. */
  onFailed(request: ProxiedRequest, error: GatewayError | ClientLeft): void
  /** A request gets no row, because of a bug. */
  onForgotten(): void
}

/**
 * Creates the step that reads the body of a request. A request whose body does not arrive has a row too, because its client is
 * known.
 */
export function createPrepare({ identify, build, bodyLimits, onFailed, onForgotten }: Parts) {
  /** @throws GatewayError, ClientLeft */
  return async (
    arrival: Arrival,
    target: Parameters<typeof identify>[0] & { readonly path: string },
    admitted: Admitted,
  ): Promise<ProxiedRequest> => {
    let body: Body = NO_BODY
    const readingAt = performance.now()
    try {
      const reading = receiveBody(arrival.request, arrival.response, bodyLimits)
      body = reading instanceof Promise ? await reading : reading
      if (performance.now() - readingAt > SLOW_BODY_MS) {
        const { policy } = await identify(target, arrival.request.socket)
        checkPolicy(policy, admitted.route.provider, Date.now())
      }
      const { headers } = arrival.request
      const decoded = isEncoded(headers) ? await decodeBody(body, headers) : undefined
      return build(arrival, target, admitted, body, decoded)
    } catch (error) {
      if (isLarge(body)) body.close()
      if (error instanceof GatewayError || error instanceof ClientLeft) {
        onFailed(build(arrival, target, admitted, NO_BODY), error)
      } else onForgotten()
      throw error
    }
  }
}
