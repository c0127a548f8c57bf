import type { RequestBounds } from "../../providers/_bounds.ts"
import type { Deps } from "../deps.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import { TokenRates } from "./token-rates.ts"

/** Clients choose the names of models, so their number and their length are limited. */
const MAX_ENTRIES = 1000
const MAX_KEY_LENGTH = 1000

/** Keeps the rates and the bounds of models until prices change: finding them costs more than all the rest of a limit. */
export class RateCache {
  private readonly deps: Pick<Deps, "price" | "boundsOf" | "pricesVersion">
  private readonly found = new Map<string, TokenRates>()
  private version: number | undefined

  constructor(deps: Pick<Deps, "price" | "boundsOf" | "pricesVersion">) {
    this.deps = deps
  }

  find({ call, caller, route, prepared }: ProxiedRequest, { tier, speed }: RequestBounds): TokenRates {
    const { pricesVersion } = this.deps
    const at = call.receivedAt
    const version = pricesVersion?.(at)
    if (version !== this.version) {
      this.version = version
      this.found.clear()
    }
    const provider = route.provider.name
    const model = prepared.requestedModel ?? ""
    const keyDiscountFactor = caller.discountFactor
    const key = `${provider}\n${model}\n${keyDiscountFactor ?? ""}\n${tier ?? ""}\n${speed ?? ""}`
    const known = this.found.get(key)
    if (known !== undefined) return known
    const rates = new TokenRates(this.deps, { provider, model, keyDiscountFactor, tier, speed }, at)
    if (key.length > MAX_KEY_LENGTH) return rates
    if (this.found.size >= MAX_ENTRIES) this.found.clear()
    this.found.set(key, rates)
    return rates
  }
}
