import type { ModelBounds } from "../../core/model-bounds.ts"
import { type Bucket, NO_READING, NO_USAGE, type Reading } from "../../core/usage.ts"
import type { Deps } from "../deps.ts"

/** The model whose tokens are priced, and how a request asks to be served. */
export interface RateQuestion {
  readonly provider: string
  readonly model: string
  readonly keyDiscountFactor: string | undefined
  readonly tier: string | undefined
  readonly speed: string | undefined
}

/** Rates in nano-USD per token; undefined: the price is not known. */
export interface Rates {
  readonly input: number | undefined
  readonly output: number | undefined
}

const MILLION = 1_000_000
/** USD per million tokens are so many nano-USD per token. */
const NANO_PER_TOKEN = 1000
/** A prompt of this size exceeds every long-context threshold. */
const LONG_CONTEXT = 100_000_000

const INPUTS: readonly Bucket[] = ["input", "inputImage", "cacheWrite", "cacheWrite1h", "cacheWrite12h"]
const OUTPUTS: readonly Bucket[] = ["output", "reasoning", "outputImage"]
/** The tiers that a provider may choose by itself, and the regions whose prices are higher. */
const TIERS = [undefined, "priority"] as const
const STATED_BY_DEFAULT: ReadonlySet<string | undefined> = new Set([undefined, "", "auto"])
const REGIONS = [undefined, "us"] as const

const UNKNOWN: ModelBounds = { context: undefined, output: undefined }

/**
 * The rates of the tokens of one model at one provider. Each is found once, by pricing a million tokens, so that tiers,
 * discounts and prices of the user apply as they do to a row.
 */
export class TokenRates {
  /** How much the model reads and writes at most. */
  readonly bounds: ModelBounds
  private readonly price: Deps["price"]
  private readonly question: RateQuestion
  private readonly at: number
  private usual: Rates | undefined
  private long: Rates | undefined
  private dearest: Rates | undefined
  private dearestWithAudio: Rates | undefined

  /** @param at the time whose prices apply, in milliseconds since the epoch */
  constructor({ price, boundsOf }: Pick<Deps, "price" | "boundsOf">, question: RateQuestion, at: number) {
    this.bounds = boundsOf?.(question.provider, question.model) ?? UNKNOWN
    this.price = price
    this.question = question
    this.at = at
  }

  /** Returns the rates of plain text, as the request asks to be served. */
  expected(isLong: boolean): Rates {
    if (isLong) this.long ??= this.textRates(LONG_CONTEXT)
    else this.usual ??= this.textRates(0)
    return (isLong ? this.long : this.usual)!
  }

  /** Returns the highest rates that can apply to any token of a request. */
  maximum(hasAudio: boolean): Rates {
    if (hasAudio) this.dearestWithAudio ??= this.dearestRates([...INPUTS, "inputAudio"], [...OUTPUTS, "outputAudio"])
    else this.dearest ??= this.dearestRates(INPUTS, OUTPUTS)
    return (hasAudio ? this.dearestWithAudio : this.dearest)!
  }

  private textRates(contextTokens: number): Rates {
    const { tier, speed } = this.question
    const rate = (bucket: Bucket) => this.rateOf(bucket, contextTokens, { tier, speed })
    return { input: rate("input"), output: rate("output") }
  }

  private dearestRates(inputs: readonly Bucket[], outputs: readonly Bucket[]): Rates {
    const { tier, speed } = this.question
    const tiers = STATED_BY_DEFAULT.has(tier) ? TIERS : [undefined, tier]
    let input: number | undefined
    let output: number | undefined
    for (const geo of REGIONS) {
      for (const each of tiers) {
        for (const contextTokens of [0, LONG_CONTEXT]) {
          const rate = (bucket: Bucket) => this.rateOf(bucket, contextTokens, { tier: each, speed, geo })
          for (const bucket of inputs) input = larger(input, rate(bucket))
          for (const bucket of outputs) output = larger(output, rate(bucket))
        }
      }
    }
    return { input, output }
  }

  private rateOf(
    bucket: Bucket,
    contextTokens: number,
    served: Partial<Pick<Reading, "tier" | "speed" | "geo">>,
  ): number | undefined {
    const { provider, model, keyDiscountFactor } = this.question
    const usage = { ...NO_USAGE, [bucket]: MILLION }
    const reading: Reading = {
      ...NO_READING,
      ...served,
      model,
      parts: [{ model, usage, contextTokens, role: "answer" }],
      source: "reported",
    }
    const { totalCost } = this.price({ provider, requestedModel: model, reading, at: this.at, keyDiscountFactor })
    return totalCost === undefined ? undefined : Number(totalCost) * NANO_PER_TOKEN
  }
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)
}
