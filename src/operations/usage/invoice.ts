import { parseDecimal } from "../../core/decimal.ts"
import {
  type Charge,
  DIMENSIONS,
  type Filters,
  type Measures,
  type UsageAnswer,
  type UsageQuestion,
  type Value,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"
import { addAmounts, allocate } from "./allocate.ts"
import { withAsker } from "./asker.ts"
import { toDimensionFields, toQuestionObject } from "./json.ts"
import { listNotes } from "./notes.ts"
import type { Dimension, Period } from "./question.ts"
import { checkNames } from "./report.ts"

/** The group whose cost the others share, and in proportion to what. */
interface Allocation {
  readonly group: string
  readonly weight: "requests" | "cost"
}

export interface InvoiceQuestion {
  readonly by: Dimension
  /** The whole month. */
  readonly period: Period & { readonly until: number }
  readonly filters: Filters
  readonly allocation: Allocation | undefined
  /** Also says what each group used of each model, and at which prices. */
  readonly hasLines: boolean
}

/** What one group owes. Money is USD as plain decimals; a cost that is not known is null. */
interface InvoiceRow extends InvoiceMeasures {
  readonly [dimension: string]: unknown
  /** Its part of the shared cost. */
  readonly allocated: string
  /** Its own cost and its part of the shared cost. */
  readonly amount: string | null
}

type InvoiceMeasures = Pick<Measures, (typeof INVOICE_MEASURES)[number]>

export const INVOICE_MEASURES = [
  "requests",
  "input_tokens",
  "cached_tokens",
  "output_tokens",
  "total_cost",
  "estimated",
  "unpriced",
] as const satisfies readonly (keyof Measures)[]

/** What one group used of one model of one provider. */
interface InvoiceLine extends InvoiceMeasures {
  readonly group: string | null
  readonly provider: string
  readonly model: string
}

/** What one group used at one price. A row whose certificate is not known, or does not explain its cost, is in none. */
export interface InvoiceCharge extends Omit<Charge, "values" | "kind" | "priced_model" | "tier"> {
  readonly group: string | null
  readonly provider: string
  readonly model: string
  readonly kind: string | null
  readonly priced_model: string | null
  readonly tier: string | null
}

/** An invoice in the form of JSON. */
export interface Invoice {
  readonly since: string
  readonly until: string
  readonly tz: string
  readonly by: readonly string[]
  readonly filters: Readonly<Record<string, unknown>>
  /** False if the month has not ended. */
  readonly is_final: boolean
  readonly rows: readonly InvoiceRow[]
  readonly total: InvoiceMeasures
  readonly allocation?: { readonly group: string; readonly by: string; readonly amount: string }
  readonly lines?: readonly InvoiceLine[]
  readonly charges?: readonly InvoiceCharge[]
  readonly notes: readonly string[]
}

/** The name of the group of requests that do not have the dimension. */
export const NONE = "(none)"

/**
 * Returns the cost of a calendar month by one dimension. Its total is that of the usage report of the same month, and the
 * amounts of its rows add up to it to the last digit.
 *
 * @throws InputError for `by` if it is a metadata name that no request has carried, and for `allocate`
 */
export async function createInvoice(
  context: Context<"database" | "now">,
  { by, period, filters, allocation, hasLines }: InvoiceQuestion,
): Promise<Invoice> {
  const now = context.now()
  const question = { by: [by], period, filters, sort: "cost" } as const satisfies UsageQuestion
  const { answer, details, notes } = await withAsker(context.database, async ({ ask, askCharges, rollups }) => {
    const answer = await ask(question)
    const parts = { ...question, by: [by, DIMENSIONS["provider"]!, DIMENSIONS["model"]!], sort: undefined }
    const details = hasLines ? { lines: await ask(parts), charges: await askCharges(parts) } : undefined
    return { answer, details, notes: listNotes(question, answer, rollups) }
  })
  await checkNames(context, question.by, answer)
  const shared = allocation && shareCost(answer, allocation)
  return {
    ...toQuestionObject({ question, now }),
    is_final: period.until <= now,
    rows: shared?.rows ?? toRows(by, answer.rows),
    total: toInvoiceMeasures(answer.total),
    ...(shared?.amount !== undefined && {
      allocation: { group: allocation!.group, by: allocation!.weight, amount: shared.amount },
    }),
    ...(details && { lines: toLines(details.lines), charges: toCharges(details) }),
    notes: [...notes, ...listDoubts(answer.total, period.until > now), ...(shared?.notes ?? [])],
  }

  function shareCost({ rows }: UsageAnswer, { group, weight }: Allocation) {
    // Two keys may have the same name.
    const from = rows.filter(({ values }) => String(values[0] ?? NONE) === group)
    const others = rows.filter((row) => !from.includes(row))
    const unshared = (note: string) => ({ rows: toRows(by, rows), amount: undefined, notes: [note] })
    if (from.length === 0) return unshared(`there is no cost of ${by.name}=${group} in this month to share`)
    const amount = addAmounts(from.map(({ total_cost }) => total_cost))
    const weights = others.map(({ requests, total_cost }) =>
      weight === "requests" ? BigInt(requests) : parseDecimal(total_cost ?? "0"),
    )
    const shares = allocate(amount, weights)
    if (shares === undefined) {
      return unshared(`the cost of ${by.name}=${group} is not shared, because no other group has ${weight}`)
    }
    return { rows: toRows(by, others, shares), amount, notes: [] }
  }
}

function toRows(by: Dimension, rows: UsageAnswer["rows"], shares?: readonly string[]): InvoiceRow[] {
  return rows.map((row, i) => {
    const allocated = shares?.[i] ?? "0"
    const amount = row.total_cost === null && allocated === "0" ? null : addAmounts([row.total_cost, allocated])
    return { ...toDimensionFields([by], row), ...toInvoiceMeasures(row), allocated, amount }
  })
}

function toLines({ rows }: UsageAnswer): InvoiceLine[] {
  return rows.map((row) => {
    return { ...toParts(row.values), ...toInvoiceMeasures(row) }
  })
}

function toParts([group, provider, model]: readonly Value[]) {
  return {
    group: group === null || group === undefined ? null : String(group),
    provider: String(provider ?? ""),
    model: String(model ?? ""),
  }
}

function toCharges({ lines, charges }: { readonly lines: UsageAnswer; readonly charges: readonly Charge[] }) {
  const names = new Map(lines.rows.map(({ keyId, values }) => [keyId, values[0]!]))
  return charges.map(({ values: [group, ...others], kind, priced_model, tier, ...charge }): InvoiceCharge => {
    const name = names.get(String(group)) ?? group!
    return {
      ...toParts([name, ...others]),
      ...{ kind: kind ?? null, priced_model: priced_model ?? null, tier: tier ?? null },
      ...charge,
    }
  })
}

function toInvoiceMeasures(measures: Measures): InvoiceMeasures {
  return Object.fromEntries(INVOICE_MEASURES.map((name) => [name, measures[name]])) as unknown as InvoiceMeasures
}

function listDoubts({ estimated, unpriced, subscription_requests }: Measures, isOpen: boolean): string[] {
  const count = (n: number) => `${n.toLocaleString("en-US")} ${n === 1 ? "request" : "requests"}`
  return [
    ...(isOpen ? ["the month has not ended: the amounts are those to date"] : []),
    ...(unpriced > 0 ? [`${count(unpriced)} without a known price: their cost is in no amount`] : []),
    ...(estimated > 0 ? [`the cost of ${count(estimated)} is estimated`] : []),
    ...(subscription_requests > 0 ? [`${count(subscription_requests)} of subscriptions are on no bill`] : []),
  ]
}

/**
 * Returns the allocation that a text such as `Team=(none) by requests` means.
 *
 * @throws InputError for `allocate`
 */
export function parseAllocation(text: string | undefined, by: Dimension): Allocation | undefined {
  if (text === undefined) return undefined
  const [, name, group, weight = "cost"] = /^([^=]+)=(.+?)(?: by (requests|cost))?$/.exec(text) ?? []
  if (group === undefined || name?.toLowerCase() !== by.name.toLowerCase()) {
    throw new InputError("allocate", `expected ${by.name}=GROUP by requests or cost, got ${JSON.stringify(text)}`)
  }
  return { group, weight: weight as Allocation["weight"] }
}
