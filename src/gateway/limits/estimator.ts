import type { Estimate } from "../../core/limit-reservation.ts"
import { toUnits } from "../../core/limit-units.ts"
import type { ModelBounds } from "../../core/model-bounds.ts"
import { NO_READING } from "../../core/usage.ts"
import { findBounds, type RequestBounds, readBounds } from "../../providers/_bounds.ts"
import { estimateInput, startOf } from "../../providers/_estimate.ts"
import type { Pieces } from "../../providers/_pieces.ts"
import { maxInputTokens } from "../../providers/_request-size.ts"
import { readContext } from "../../providers/_socket-message.ts"
import { bytesOf } from "../../providers/_values.ts"
import type { Deps } from "../deps.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import { opensSession } from "../sockets/opening.ts"
import { RateCache } from "./rate-cache.ts"
import type { Rates, TokenRates } from "./token-rates.ts"

/** The output that is expected of a key and model until some of its answers are known. */
const FIRST_EXPECTED_OUTPUT = 1000
/** The bound of a model of which nothing is known. */
const UNKNOWN_BOUND = 128_000
/** Of a longer text in a body, only the first bytes are counted. */
const SAMPLED_BYTES = 1024
/** A larger prompt may be above a long-context threshold, and its rates are taken. */
const LONG_INPUT = 128_000
/** A job and a handshake are not estimated. The least amount makes a limit that is used up reject them. */
const LEAST: Estimate = { inputTokens: 1, outputTokens: 1, cost: 1 }

/** The size of a request as far as it says it, and the rates that apply to it. A request is read once. */
export interface Sizes {
  /** It is a job, or the handshake of a WebSocket, whose turns are estimated. */
  readonly isUnsized: boolean
  /** The pieces that it orders; undefined: its API has none. */
  readonly order: Pieces | undefined
  readonly stated: RequestBounds
  readonly rates: TokenRates
}

export type EstimatorDeps = Pick<Deps, "limits" | "price" | "pricesVersion" | "boundsOf">

/** Estimates what requests may use. Costs are in nano-USD, rounded up; an unknown price is undefined. */
export class Estimator {
  private readonly deps: EstimatorDeps
  private readonly rates: RateCache

  constructor(deps: EstimatorDeps) {
    this.deps = deps
    this.rates = new RateCache(deps)
  }

  /** Returns what the estimates of a request are computed from. */
  read(request: ProxiedRequest): Sizes {
    const { dialect, prepared, providerRequest } = request
    const stated = readBounds(prepared.json ?? findBounds(providerRequest.body))
    const order = dialect.readOrder?.(providerRequest)
    return {
      isUnsized: isJob(request) || opensSession(request.call),
      order,
      stated,
      rates: this.rates.find(request, stated),
    }
  }

  /** Returns what a request is expected to use, or what it can use at most. */
  estimate(request: ProxiedRequest, sizes: Sizes, kind: "expected" | "maximum"): Estimate {
    if (sizes.isUnsized) return LEAST
    const { order, stated, rates: found } = sizes
    const known = found.bounds
    const most =
      order && isEmpty(order)
        ? 0
        : (stated.outputTokens ?? (known.output ?? known.context ?? UNKNOWN_BOUND) * stated.choices)
    const isMaximum = kind === "maximum"
    const inputTokens = isMaximum ? maxInput(request, known) : expectedInput(request)
    const outputTokens = isMaximum ? most : Math.min(most, this.expectedOutput(request))
    const rates = isMaximum ? found.maximum(mentionsAudio(request)) : found.expected(inputTokens > LONG_INPUT)
    const ofPieces = order && this.pieceCost(request, order)
    const cost =
      ofPieces === undefined
        ? toCost(rates, inputTokens, outputTokens)
        : ofPieces + (toCost(rates, inputTokens, 0) ?? 0)
    return { inputTokens, outputTokens, cost }
  }

  private expectedOutput(request: ProxiedRequest): number {
    return this.deps.limits?.expectedOutput(request.caller.keyId, modelOf(request)) ?? FIRST_EXPECTED_OUTPUT
  }

  /** Returns the cost of pieces that have a price; undefined: there are none. */
  private pieceCost({ call, caller, route, prepared }: ProxiedRequest, order: Pieces): number | undefined {
    if (isEmpty(order)) return undefined
    const { pieces: units, kinds } = order
    const { totalCost } = this.deps.price({
      provider: route.provider.name,
      requestedModel: prepared.requestedModel,
      reading: { ...NO_READING, model: prepared.requestedModel, units, ...(kinds && { kinds }), source: "reported" },
      at: call.receivedAt,
      keyDiscountFactor: caller.discountFactor,
    })
    return totalCost === undefined ? undefined : toUnits(totalCost, "cost", "up")
  }
}

/** Returns true if a request uses no tokens and no money, whatever it is answered. */
export function isFree(request: ProxiedRequest): boolean {
  return request.dialect.isFree(request.providerRequest) && !isJob(request)
}

/** A job costs nothing by itself, but a limit that is used up rejects it like any other work. */
function isJob({ dialect, providerRequest: { method, path } }: ProxiedRequest): boolean {
  return dialect.routes.operations.find(method, path).operation === "job"
}

function modelOf({ prepared }: ProxiedRequest): string {
  return prepared.requestedModel ?? ""
}

function isEmpty({ pieces }: Pieces): boolean {
  for (const _ in pieces) return false
  return true
}

/** The input that is expected of a form with a file, whose bytes say little about its tokens. */
const TOKENS_OF_FORM = 2000

function isForm({ call }: ProxiedRequest): boolean {
  return /^multipart\//i.test(String(call.headers["content-type"]))
}

function expectedInput(request: ProxiedRequest): number {
  if (isForm(request)) return TOKENS_OF_FORM
  const { providerRequest } = request
  return estimateInput(startOf(providerRequest), SAMPLED_BYTES) + conversationTokens(request)
}

/** Returns the tokens of the conversation that a turn of a WebSocket continues, as far as the gateway has seen it. */
function conversationTokens({ call, providerRequest }: ProxiedRequest): number {
  if (call.websocketId === undefined) return 0
  const { text, audio, image } = readContext(bytesOf(providerRequest.body))
  return text + audio + image
}

/**
 * A form, a large body of which only the beginning is at hand, and a turn that continues a conversation count as the whole
 * context window.
 */
function maxInput(request: ProxiedRequest, { context }: ModelBounds): number {
  const { call, providerRequest } = request
  const { body, readStart } = providerRequest
  if (body.length === 0) return 0
  const isUnknown = readStart !== undefined || isForm(request) || conversationTokens(request) > 0
  const most = isUnknown ? Number.POSITIVE_INFINITY : maxInputTokens(bytesOf(body))
  return Math.min(most, context ?? Math.max(UNKNOWN_BOUND, call.body.length))
}

const AUDIO = ["audio", "Audio", "AUDIO"]

/** A turn of a WebSocket can have sound that its own request does not mention. */
function mentionsAudio({ call, providerRequest: { path, body } }: ProxiedRequest): boolean {
  return call.websocketId !== undefined || path.includes("audio") || AUDIO.some((word) => bytesOf(body).includes(word))
}

/** Returns the cost of so many tokens at the usual rates. */
export function usualCost({ rates }: Sizes, inputTokens: number, outputTokens: number): number | undefined {
  return toCost(rates.expected(inputTokens > LONG_INPUT), inputTokens, outputTokens)
}

function toCost({ input, output }: Rates, inputTokens: number, outputTokens: number): number | undefined {
  const read = costOf(input, inputTokens)
  const written = costOf(output, outputTokens)
  return read === undefined || written === undefined ? undefined : read + written
}

/** Returns the cost of tokens. One unit more makes up for the rounding of floats. */
function costOf(rate: number | undefined, tokens: number): number | undefined {
  if (tokens === 0 || rate === 0) return 0
  return rate === undefined ? undefined : Math.ceil(rate * tokens) + 1
}
