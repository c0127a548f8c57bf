import type { Outcome } from "../../core/call.ts"
import { CostTotal } from "../../core/cost-total.ts"
import type { LogRecord } from "../../core/log-record.ts"

/** The kinds of tokens, of which each token has one. */
export const TOKEN_KINDS = ["input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"] as const

/** The sums over the requests of one series. Each sum is the one that `usage` shows. */
export class RequestSums {
  /** In USD, what the provider bills. A request without a known price adds nothing to it, and counts as unpriced. */
  readonly cost = new CostTotal()
  /** The part of `cost` that is estimated. */
  readonly estimatedCost = new CostTotal()
  /** In USD, what the API would have charged for requests that a subscription pays for. */
  readonly subscriptionValue = new CostTotal()
  /** In the order of `TOKEN_KINDS`. */
  readonly tokens: number[] = TOKEN_KINDS.map(() => 0)
  estimated = 0
  unpriced = 0
  subscription = 0
  private readonly counts = new Map<Outcome, Map<number, number>>()

  add(record: LogRecord): void {
    this.addRequest(record)
    this.addUsage(record)
  }

  /** Counts a request whose usage and cost come later. */
  addRequest(record: LogRecord): void {
    this.count(record.outcome, record.status_code)
  }

  /** Adds the usage and the cost of a request that is counted already. */
  addUsage(record: LogRecord): void {
    this.addTokens(record)
    this.addCost(record)
  }

  /** Returns how many requests there are of each outcome and status. */
  *requests(): Iterable<{ readonly outcome: Outcome; readonly status: string; readonly count: number }> {
    for (const [outcome, byStatus] of this.counts) {
      for (const [status, count] of byStatus) yield { outcome, status: status === 0 ? "other" : String(status), count }
    }
  }

  private count(outcome: Outcome, code: number): void {
    const status = code >= 100 && code <= 599 ? code : 0
    let byStatus = this.counts.get(outcome)
    if (byStatus === undefined) {
      byStatus = new Map()
      this.counts.set(outcome, byStatus)
    }
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
  }

  private addTokens(record: LogRecord): void {
    const { tokens } = this
    const { cached_tokens: read, cache_creation_tokens: written, cache_creation_1h_tokens: written1h } = record
    tokens[0]! += record.input_tokens - read - written
    tokens[1]! += read
    tokens[2]! += written - written1h
    tokens[3]! += written1h
    tokens[4]! += record.output_tokens - record.reasoning_tokens
    tokens[5]! += record.reasoning_tokens
  }

  private addCost({ cost_status: status, billing, total_cost: cost }: LogRecord): void {
    const isEstimated = status === "estimated" || status === "inconsistent"
    if (isEstimated) this.estimated++
    if (status === "unpriced") this.unpriced++
    if (billing === "subscription") {
      this.subscription++
      if (cost !== undefined) this.subscriptionValue.add(cost)
    } else if (cost !== undefined && cost !== "0") {
      this.cost.add(cost)
      if (isEstimated) this.estimatedCost.add(cost)
    }
  }
}
