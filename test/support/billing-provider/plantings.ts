import { type Decimal, formatDecimal, parseDecimal } from "../../../src/core/decimal.ts"
import type { Bucket, CAUSES } from "../../../src/core/reconciliation.ts"
import type { BillingProvider } from "../billing-provider.ts"
import { type BillingApi, totalOf, type Work } from "./_books.ts"

/** A difference that was planted, and by how much it changed the bill in USD. */
export interface Planted {
  readonly cause: (typeof CAUSES)[number]
  readonly amount: string
}

/** What a planting is about. */
export interface Plot {
  readonly api: BillingApi
  readonly model: string
  /** When it is counted, in milliseconds since the epoch. */
  readonly at: number
}

/** Another key of another project uses the model. */
export function plantOutside(provider: BillingProvider, { api, model, at }: Plot): Planted {
  const quantities = { input: 312_000, output: 41_000 }
  return plant(provider, "outside", api, () => {
    provider.serve({ provider: api, at, model, key: "key_evals", project: "proj_evals", requests: 312, quantities })
  })
}

/** Answers that failed, or that never reached the gateway, are billed nevertheless. */
export function plantUnmetered(provider: BillingProvider, { api, model, at }: Plot, requests = 1): Planted {
  return plant(provider, "unmetered", api, () => {
    provider.serve({
      provider: api,
      at,
      model,
      requests,
      quantities: { input: 1200 * requests, output: 88 * requests },
    })
  })
}

/** The bill counts more tokens of requests than their answers said. */
export function plantTokens(provider: BillingProvider, { api, model }: Plot, bucket: Bucket, more: number): Planted {
  return plant(provider, "tokens", api, () => {
    const { quantities } = findWork(provider, { api, model })
    quantities[bucket] = (quantities[bucket] ?? 0) + more
  })
}

/** The bill uses another rate, in USD per million tokens. */
export function plantPrice(provider: BillingProvider, { api, model }: Plot, bucket: Bucket, rate: string): Planted {
  return plant(provider, "price", api, () => {
    provider.books.rates[model] = { ...provider.books.rates[model], [bucket]: rate }
  })
}

/** The account pays a share less than list prices. Only Anthropic reports both amounts. */
export function plantDiscount(provider: BillingProvider, share: string): Planted {
  return plant(provider, "discount", "anthropic", () => {
    provider.books.discounts.anthropic = share
  })
}

/** A credit (a negative amount), a tax, a fee outside tokens, or an item that nobody knows. */
export function plantCharge(
  provider: BillingProvider,
  { cause, api, at, item, amount }: Planted & Omit<Plot, "model"> & { readonly item: string },
): Planted {
  return plant(provider, cause, api, () => provider.charge({ provider: api, at, item, amount }))
}

/** The reports do not show the work before a time. */
export function plantLate(provider: BillingProvider, plot: Plot, visibleFrom: number): Work {
  const work = findWork(provider, plot)
  work.visibleFrom = visibleFrom
  return work
}

/** The provider counts the work in the day before. */
export function plantShift(provider: BillingProvider, plot: Plot): Work {
  const work = findWork(provider, plot)
  work.at -= 86_400_000
  return work
}

/** Returns everything on the bill of an account, as decimal text. */
export function billOf({ books }: Pick<BillingProvider, "books">, api: BillingApi): string {
  return formatDecimal(toBill(books, api))
}

function plant(provider: BillingProvider, cause: Planted["cause"], api: BillingApi, change: () => void): Planted {
  const before = toBill(provider.books, api)
  change()
  return { cause, amount: formatDecimal(toBill(provider.books, api) - before) }
}

function toBill(books: BillingProvider["books"], api: BillingApi): Decimal {
  const works = books.works.filter((work) => work.provider === api)
  const charges = books.charges.filter((charge) => charge.provider === api)
  return charges.reduce((sum, { amount }) => sum + parseDecimal(amount), parseDecimal(totalOf(books, works)))
}

function findWork({ books }: BillingProvider, { api, model }: Pick<Plot, "api" | "model">): Work {
  const work = books.works.find((each) => each.provider === api && each.model === model)
  if (work === undefined) throw new Error(`${api} served nothing of ${model}`)
  return work
}
