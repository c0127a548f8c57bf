import type { Estimate, LimitedRequest } from "../../core/limit-reservation.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import { opensSession } from "../sockets/opening.ts"
import { type Estimator, isFree, type Sizes, usualCost } from "./estimator.ts"

/** One request as limits see it. What it may use is estimated only if a limit asks for it. */
export class LimitedCall implements LimitedRequest {
  readonly id: string
  readonly keyId: string
  readonly provider: string
  readonly requestedModel: string
  readonly metadata: Readonly<Record<string, string>>
  readonly isFree: boolean
  readonly isSubscribed: boolean
  readonly opensSession: boolean
  private readonly request: ProxiedRequest
  private readonly estimator: Estimator
  private sizes: Sizes | undefined
  private reserved: Estimate | undefined

  constructor(request: ProxiedRequest, estimator: Estimator) {
    const { call, caller, route, prepared, billing } = request
    this.id = call.id
    this.keyId = caller.keyId
    this.provider = route.provider.name
    this.requestedModel = prepared.requestedModel ?? ""
    this.metadata = call.metadata
    this.isFree = isFree(request)
    this.isSubscribed = billing === "subscription"
    this.opensSession = opensSession(call)
    this.request = request
    this.estimator = estimator
  }

  estimate(kind: "expected" | "maximum"): Estimate {
    this.reserved = this.estimator.estimate(this.request, this.read(), kind)
    return this.reserved
  }

  /** Estimates what the answer has used when it has generated this many output tokens. */
  soFar(outputTokens: number): Estimate {
    const { inputTokens } = this.reserved ?? this.estimate("expected")
    return { inputTokens, outputTokens, cost: usualCost(this.read(), inputTokens, outputTokens) }
  }

  private read(): Sizes {
    this.sizes ??= this.estimator.read(this.request)
    return this.sizes
  }
}
