import { GatewayError, type GatewayErrorCode } from "./errors.ts"
import type { LimitMeasure, LimitWindow } from "./limit.ts"

/** Waiting longer than this is not worth a retry by a client's SDK. */
const MAX_RETRY_SECONDS = 60

/** The words that follow an amount in a sentence. */
export const UNIT_OF_MEASURE: Readonly<Record<LimitMeasure, string>> = {
  cost: "USD",
  requests: "requests",
  input_tokens: "input tokens",
  output_tokens: "output tokens",
  tokens: "tokens",
  concurrency: "requests at the same time",
}

/** What an error says about a limit. Amounts are plain decimals: USD for `cost`. */
export interface LimitFacts {
  /** The name of the limit. */
  readonly limit: string
  readonly measure: LimitMeasure
  readonly window: LimitWindow
  /** The group of a limit with `per`, else `""`. */
  readonly value: string
  readonly amount: string
  /** What committed rows have used in the present window. */
  readonly used: string
  /** What running requests and the leases of gateways hold. */
  readonly reserved: string
  /** What the rejected request needs. */
  readonly wanted: string
  /** ISO 8601 in UTC; undefined: it never resets. */
  readonly resetsAt: string | undefined
  /** `used_up`: only the reset helps. `reserved`: the request fits as soon as others have ended. */
  readonly reason: "used_up" | "reserved"
  /** Seconds until `resetsAt` if the limit is used up, else 1; undefined: it never resets. */
  readonly retryAfterSeconds: number | undefined
}

/** A request is rejected because of a limit. What is undefined is not known, or does not exist. */
export class LimitError extends GatewayError {
  /** The name of the limit. */
  readonly limit: string
  readonly measure: LimitMeasure | undefined
  readonly amount: string | undefined
  readonly used: string | undefined
  readonly reserved: string | undefined
  readonly resetsAt: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** Whether a client should try again by itself: waiting helps, and takes a minute at most. */
  readonly shouldRetry: boolean

  constructor(code: GatewayErrorCode, message: string, facts: Partial<LimitFacts> & Pick<LimitFacts, "limit">) {
    super(code, message)
    this.limit = facts.limit
    this.measure = facts.measure
    this.amount = facts.amount
    this.used = facts.used
    this.reserved = facts.reserved
    this.resetsAt = facts.resetsAt
    this.retryAfterSeconds = facts.retryAfterSeconds
    this.shouldRetry = facts.retryAfterSeconds !== undefined && facts.retryAfterSeconds <= MAX_RETRY_SECONDS
  }
}

/** Creates the error of a request that does not fit into a limit (429). */
export function toLimitExceeded(facts: LimitFacts): LimitError {
  return new LimitError("limit_exceeded", `${describeUse(facts)} ${describeRemedy(facts)}`, facts)
}

/** Creates the error of a request whose price is not known, under a limit on cost that blocks such requests (403). */
export function toUnpricedModel(limit: string, model: string): LimitError {
  const reason = `The price of the model ${JSON.stringify(model)} is not known, and the limit ${JSON.stringify(limit)} rejects such models`
  return new LimitError("unpriced_model", `${reason}. Ask your operator to add a price, or use another model.`, {
    limit,
  })
}

/** Creates the error of a request that cannot be checked because the database does not answer (503). */
export function toLimitsUnavailable(limit: string): LimitError {
  const reason = `The gateway cannot check the limit ${JSON.stringify(limit)} at the moment, because its database does not answer`
  return new LimitError("limits_unavailable", `${reason}. Try again shortly.`, { limit, retryAfterSeconds: 1 })
}

function describeUse({ limit, measure, window, value, amount, used, reserved, wanted, reason }: LimitFacts): string {
  const group = value === "" ? "" : ` for ${JSON.stringify(value)}`
  const name = `The limit ${JSON.stringify(limit)}${group}`
  const unit = UNIT_OF_MEASURE[measure]
  if (measure === "concurrency") return `${name} allows ${amount} ${unit}, and ${reserved} are running.`
  const per = window === "total" ? "in total" : `per ${window}`
  const running = reason === "used_up" ? "" : ` and ${reserved} reserved by running requests`
  const need = measure === "requests" ? "" : `, and this request may need ${wanted}`
  return `${name} of ${amount} ${unit} ${per} has no room for this request: ${used} used${running}${need}.`
}

function describeRemedy({ reason, resetsAt, measure }: LimitFacts): string {
  if (reason === "reserved") {
    return measure === "concurrency" ? "Try again when one of them has ended." : "Try again shortly."
  }
  if (resetsAt === undefined) return "It does not reset: ask your operator to raise it."
  return `It resets at ${resetsAt}. Wait until then, or ask your operator to raise it.`
}
