import type { RequestBounds } from "../../providers/_bounds.ts"
import type { Deps } from "../deps.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import { type RateQuestion, TokenRates } from "./token-rates.ts"

/** Clients choose the names of models and tiers, so their number and their length are limited. */
const MAX_ENTRIES = 1000
const MAX_NAME_LENGTH = 1000
/** The providers, discounts, tiers and speeds of one model, which are compared one by one. */
const MAX_ENTRIES_OF_MODEL = 20

interface Entry {
  readonly question: RateQuestion
  readonly rates: TokenRates
}

/** Keeps the rates and the bounds of models until prices change: finding them costs more than all the rest of a limit. */
export class RateCache {
  private readonly deps: Pick<Deps, "price" | "boundsOf" | "pricesVersion">
  private readonly ofModel = new Map<string, Entry[]>()
  private entries = 0
  private version: number | undefined

  constructor(deps: Pick<Deps, "price" | "boundsOf" | "pricesVersion">) {
    this.deps = deps
  }

  find({ call, caller, route, prepared }: ProxiedRequest, { tier, speed }: RequestBounds): TokenRates {
    const at = call.receivedAt
    const version = this.deps.pricesVersion?.(at)
    if (version !== this.version) {
      this.version = version
      this.clear()
    }
    const provider = route.provider.name
    const model = prepared.requestedModel ?? ""
    const keyDiscountFactor = caller.discountFactor
    const known = this.ofModel.get(model)
    if (known !== undefined) {
      for (const { question, rates } of known) {
        const { tier: knownTier, speed: knownSpeed } = question
        const isSame = question.provider === provider && knownTier === tier && knownSpeed === speed
        if (isSame && question.keyDiscountFactor === keyDiscountFactor) return rates
      }
    }
    const question: RateQuestion = { provider, model, keyDiscountFactor, tier, speed }
    const rates = new TokenRates(this.deps, question, at)
    if (model.length + (tier ?? "").length + (speed ?? "").length <= MAX_NAME_LENGTH) this.keep({ question, rates })
    return rates
  }

  private keep(entry: Entry): void {
    const { model } = entry.question
    if (this.entries >= MAX_ENTRIES) this.clear()
    const known = this.ofModel.get(model)
    if (known === undefined) this.ofModel.set(model, [entry])
    else {
      if (known.length >= MAX_ENTRIES_OF_MODEL) this.entries -= known.splice(0).length
      known.push(entry)
    }
    this.entries++
  }

  private clear(): void {
    this.ofModel.clear()
    this.entries = 0
  }
}
