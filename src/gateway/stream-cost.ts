import type { ServerResponse } from "node:http"
import type { Billing, Cost } from "../core/cost.ts"
import type { CostDelivery } from "./cost-delivery.ts"
import { isCompressed } from "./decode.ts"
import { mayHaveBody } from "./headers.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import type { ResponsePlan } from "./response-plan.ts"

const COST = "X-Majordomo-Cost"
const STATUS = "X-Majordomo-Cost-Status"
const VALUE = "X-Majordomo-Subscription-Value"
const ANNOUNCEMENT = ["Trailer", `${COST}, ${STATUS}`]
const ANNOUNCEMENT_OF_VALUE = ["Trailer", `${COST}, ${STATUS}, ${VALUE}`]
const NOTHING: readonly string[] = []
const NO_BYTES = Buffer.alloc(0)
const LF = 10

/**
 * Returns the cost as headers or trailers: alternating names and values. A cost that is not known has only its status. A
 * request that a subscription pays for costs 0, and has its API value in a header of its own.
 */
export function toCostHeaders(cost: Cost | undefined, billing: Billing | undefined): string[] {
  const headers = [STATUS, cost?.status ?? "unpriced"]
  if (billing !== undefined) headers.push(COST, "0")
  if (cost?.totalCost !== undefined) headers.push(billing === undefined ? COST : VALUE, cost.totalCost)
  return headers
}

/** Sends the cost of one streamed answer after its last byte, to a client that asked for it. */
export class StreamCost {
  /** The headers that announce what follows the answer. */
  readonly announcement: readonly string[]
  private readonly delivery: CostDelivery
  private readonly request: ProxiedRequest
  /** Whether the answer so far ends with a line break. */
  private endsLine = true

  private constructor(delivery: CostDelivery, request: ProxiedRequest) {
    this.delivery = delivery
    this.request = request
    const trailers = request.billing === undefined ? ANNOUNCEMENT : ANNOUNCEMENT_OF_VALUE
    this.announcement = delivery === "trailer" ? trailers : NOTHING
  }

  /** Returns undefined when the client did not ask for the cost, or when it cannot follow this answer. */
  static plan(request: ProxiedRequest, plan: ResponsePlan, statusCode: number): StreamCost | undefined {
    const { costDelivery: delivery, response } = request
    if (delivery === undefined) return undefined
    const canFollow = delivery === "trailer" ? canHaveTrailers(response, statusCode) : canHaveComment(plan)
    return canFollow ? new StreamCost(delivery, request) : undefined
  }

  /** Must be called with each piece of the answer. */
  onPiece(bytes: Buffer): void {
    if (bytes.length > 0) this.endsLine = bytes[bytes.length - 1] === LF
  }

  /** Returns the trailers of the answer: alternating names and values. Its cost must be known. */
  trailers(): readonly string[] {
    return this.delivery === "trailer" ? toCostHeaders(this.request.cost, this.request.billing) : NOTHING
  }

  /** Returns the last bytes of the answer, with the comment after them. */
  finish(lastBytes: Buffer = NO_BYTES): Buffer {
    if (this.delivery === "trailer") return lastBytes
    this.onPiece(lastBytes)
    const { cost, billing } = this.request
    const status = cost?.status ?? "unpriced"
    const amount = cost?.totalCost ?? null
    const said = billing === undefined ? { cost: amount, status } : { cost: "0", status, subscription_value: amount }
    const comment = `: majordomo-cost ${JSON.stringify(said)}\n\n`
    return Buffer.concat([lastBytes, Buffer.from(this.endsLine ? comment : `\n\n${comment}`)])
  }
}

/** HTTP/1.0 has no trailers, and an answer without a body has none either. */
function canHaveTrailers({ req }: ServerResponse, statusCode: number): boolean {
  return req.httpVersion === "1.1" && mayHaveBody(req.method!, statusCode)
}

/** A comment is possible only among server-sent events that are not compressed. */
function canHaveComment({ framing, contentEncoding }: ResponsePlan): boolean {
  return framing === "events" && !isCompressed(contentEncoding)
}
