import type { PriceQuery } from "../../core/cost.ts"
import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { Reading } from "../../core/usage.ts"
import { type RepriceableRow, readRepriceable } from "../../database/repricings.ts"
import { type Filters, type Period, toOffsetIso } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"
import type { FindFormat } from "./reading.ts"
import { toPriceQuery } from "./reprice.ts"

export interface WhatIfQuestion {
  readonly period: Period
  readonly filters: Filters
  /** The model that requests used; `*` at its end matches any rest. */
  readonly from: string
  /** The model that they use instead. */
  readonly to: string
  /** Its provider; undefined: the provider of each request. */
  readonly provider: string | undefined
  /** Whose prices the other model has: those of the time of each request, or those of today. */
  readonly prices: "then" | "now"
}

/** What the requests to one model have cost, and would have cost. Money is USD as plain decimals. */
interface WhatIfRow extends WhatIfMeasures {
  readonly provider: string
  readonly model: string
}

interface WhatIfMeasures {
  /** The requests with a known cost under both models. Only they are in the sums. */
  readonly requests: number
  readonly total_cost: string
  readonly what_if_cost: string
  /** `what_if_cost - total_cost`: below 0 if the other model is cheaper. */
  readonly difference: string
  /** Of the requests, those for which the cost under one of the models is estimated. */
  readonly estimated: number
}

interface NotPriced {
  readonly provider: string
  readonly model: string
  readonly requests: number
  readonly reason: string
}

/** The comparison in the form of JSON. */
export interface WhatIf {
  readonly since: string
  readonly until: string
  readonly tz: string
  readonly filters: Readonly<Record<string, unknown>>
  readonly from: string
  readonly to: string
  readonly to_provider: string | null
  readonly prices: "then" | "now"
  readonly rows: readonly WhatIfRow[]
  readonly total: WhatIfMeasures
  /** The requests that are in no sum, and why. */
  readonly not_priced: readonly NotPriced[]
  readonly notes: readonly string[]
}

type WhatIfContext = Context<"database" | "now" | "log"> & {
  readonly prices: Pick<Context<"prices">["prices"], "price" | "reloadOverrides">
  readonly findFormat: FindFormat
}

const CHUNK = 500
/** The number of requests after each of which the log says how far it is. */
const LOG_EVERY = 50_000
const NOTE =
  "the same numbers of tokens are priced; another model can use more or fewer tokens for the same text, and other caches"

/** Computes what the requests to one model would have cost with another, request by request. Nothing is changed. */
export async function computeWhatIf(context: WhatIfContext, asked: WhatIfQuestion): Promise<WhatIf> {
  const { database, prices, log } = context
  const now = context.now()
  await prices.reloadOverrides()
  const { period, filters } = asked
  const { key, where, provider } = filters
  const filter = { ...period, until: period.until ?? now, model: asked.from, provider, unpricedOnly: false, key, where }
  const sums = createSums()
  let after: RepriceableRow | undefined
  let looked = 0
  for (;;) {
    const rows = await readRepriceable(database, filter, { after, limit: CHUNK })
    for (const row of rows) sums.add(row, priceOtherwise(row, asked, { ...context, at: now }))
    looked += rows.length
    if (looked % LOG_EVERY === 0 && looked > 0) log(`${looked.toLocaleString("en-US")} requests looked at`)
    after = rows.at(-1)
    if (rows.length < CHUNK) break
  }
  const { from, to } = asked
  return {
    since: toOffsetIso(period.since, period.tz),
    until: toOffsetIso(filter.until, period.tz),
    tz: period.tz,
    filters: Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined)),
    from,
    to,
    to_provider: asked.provider ?? null,
    prices: asked.prices,
    ...sums.read(),
    notes: [NOTE],
  }
}

interface Otherwise {
  /** Undefined: it is not known, and `reason` says why. */
  readonly cost: string | undefined
  readonly isEstimated: boolean
  readonly reason: string
}

function priceOtherwise(
  row: RepriceableRow,
  { to, provider, prices: whose }: WhatIfQuestion,
  { prices, findFormat, at }: WhatIfContext & { readonly at: number },
): Otherwise {
  if (row.total_cost === null) return { cost: undefined, isEstimated: false, reason: "its recorded cost is not known" }
  const { question, isFromColumns } = toPriceQuery(row, findFormat)
  const isElsewhere = provider !== undefined && provider !== row.provider
  const other: PriceQuery = {
    ...question,
    provider: provider ?? row.provider,
    requestedModel: to,
    reading: withModel(question.reading, to, isElsewhere),
    at: whose === "now" ? at : question.at,
  }
  const cost = prices.price(other)
  return {
    cost: cost.totalCost,
    isEstimated: cost.status !== "exact" && cost.status !== "free" ? true : isFromColumns,
    reason: cost.price?.reason ?? "no price is known",
  }
}

/**
 * Returns a reading as that of another model. Parts of other models, such as those of an advisor, stay as they are. The
 * provider's own figure is about the first model. Tiers, speeds and regions of one provider do not exist at another.
 */
function withModel(reading: Reading, model: string, isElsewhere: boolean): Reading {
  const parts = reading.parts.map((part) => (part.model === reading.model ? { ...part, model } : part))
  const other = { ...reading, model, parts, reportedCostUsd: undefined }
  return isElsewhere ? { ...other, tier: undefined, speed: undefined, geo: undefined } : other
}

function createSums() {
  const models = new Map<
    string,
    { provider: string; model: string; requests: number; estimated: number; was: bigint; would: bigint }
  >()
  const missing = new Map<string, { provider: string; model: string; requests: number; reason: string }>()
  return {
    add({ provider, model, total_cost, cost_status }: RepriceableRow, { cost, isEstimated, reason }: Otherwise): void {
      if (cost === undefined || total_cost === null) {
        const id = JSON.stringify([provider, model, reason])
        const known = missing.get(id) ?? { provider, model, requests: 0, reason }
        known.requests++
        missing.set(id, known)
        return
      }
      const id = JSON.stringify([provider, model])
      const sum = models.get(id) ?? { provider, model, requests: 0, estimated: 0, was: 0n, would: 0n }
      models.set(id, sum)
      sum.requests++
      if (isEstimated || (cost_status !== "exact" && cost_status !== "free")) sum.estimated++
      sum.was += parseDecimal(total_cost)
      sum.would += parseDecimal(cost)
    },
    read() {
      const sums = [...models.values()].sort((a, b) => (a.was < b.was ? 1 : a.was > b.was ? -1 : 0))
      const total = { requests: 0, estimated: 0, was: 0n, would: 0n }
      for (const { requests, estimated, was, would } of sums) {
        total.requests += requests
        total.estimated += estimated
        total.was += was
        total.would += would
      }
      return {
        rows: sums.map(({ provider, model, ...sum }) => ({ provider, model, ...toMeasures(sum) })),
        total: toMeasures(total),
        not_priced: [...missing.values()].sort((a, b) => b.requests - a.requests).slice(0, MAX_REASONS),
      }
    },
  }
}

const MAX_REASONS = 100

function toMeasures(sum: { requests: number; estimated: number; was: bigint; would: bigint }): WhatIfMeasures {
  return {
    requests: sum.requests,
    total_cost: formatDecimal(sum.was),
    what_if_cost: formatDecimal(sum.would),
    difference: formatDecimal(sum.would - sum.was),
    estimated: sum.estimated,
  }
}

/**
 * Returns the models that a text such as `gpt-5=gpt-5-mini` names.
 *
 * @throws InputError for `model`
 */
export function parseModels(text: string): Pick<WhatIfQuestion, "from" | "to"> {
  const [, from, to] = /^([^=]+)=([^=*]+)$/.exec(text) ?? []
  if (from !== undefined && to !== undefined) return { from, to }
  throw new InputError("model", `expected USED=OTHER, such as gpt-5=gpt-5-mini, got ${JSON.stringify(text)}`)
}
