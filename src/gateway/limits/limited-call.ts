import type { Estimate, LimitedRequest } from "../../core/limit-reservation.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import type { Estimator } from "./estimator.ts"

/** One request as limits see it. What it may use is estimated only if a limit asks for it. */
export class LimitedCall implements LimitedRequest {
  readonly id: string
  readonly keyId: string
  readonly provider: string
  readonly requestedModel: string
  readonly metadata: Readonly<Record<string, string>>
  readonly isFree: boolean
  readonly isSubscribed: boolean
  private readonly request: ProxiedRequest
  private readonly estimator: Estimator
  private reserved: Estimate | undefined

  constructor(request: ProxiedRequest, estimator: Estimator) {
    const { call, caller, route, prepared, billing } = request
    this.id = call.id
    this.keyId = caller.keyId
    this.provider = route.provider.name
    this.requestedModel = prepared.requestedModel ?? ""
    this.metadata = call.metadata
    this.isFree = estimator.isFree(request)
    this.isSubscribed = billing === "subscription"
    this.request = request
    this.estimator = estimator
  }

  estimate(kind: "expected" | "maximum"): Estimate {
    this.reserved = this.estimator.estimate(this.request, kind)
    return this.reserved
  }

  /** Estimates what the answer has used when it has generated this many output tokens. */
  soFar(outputTokens: number): Estimate {
    const { inputTokens } = this.reserved ?? this.estimate("expected")
    return { inputTokens, outputTokens, cost: this.estimator.cost(this.request, inputTokens, outputTokens) }
  }
}
