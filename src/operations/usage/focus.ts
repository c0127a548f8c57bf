import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import { addAmounts } from "./allocate.ts"
import { type Invoice, type InvoiceLine, NONE } from "./invoice.ts"

/**
 * The columns of FOCUS 1.2 (https://focus.finops.org/focus-specification/v1-2/) that an invoice has, in their order, and
 * our own, which begin with `x_`. Columns for unit prices are left out: a line adds up tokens of several rates.
 */
export const FOCUS_COLUMNS = [
  "BilledCost",
  "BillingAccountId",
  "BillingAccountName",
  "BillingAccountType",
  "BillingCurrency",
  "BillingPeriodEnd",
  "BillingPeriodStart",
  "ChargeCategory",
  "ChargeClass",
  "ChargeDescription",
  "ChargeFrequency",
  "ChargePeriodEnd",
  "ChargePeriodStart",
  "ConsumedQuantity",
  "ConsumedUnit",
  "ContractedCost",
  "EffectiveCost",
  "InvoiceId",
  "InvoiceIssuerName",
  "ListCost",
  "PricingCategory",
  "PricingCurrency",
  "PricingQuantity",
  "PricingUnit",
  "ProviderName",
  "PublisherName",
  "ResourceId",
  "ResourceName",
  "ResourceType",
  "ServiceCategory",
  "ServiceName",
  "ServiceSubcategory",
  "SubAccountId",
  "SubAccountName",
  "SubAccountType",
  "Tags",
  "x_Requests",
  "x_InputTokens",
  "x_CachedTokens",
  "x_OutputTokens",
] as const

type FocusRow = Readonly<Record<(typeof FOCUS_COLUMNS)[number], string | number | null>>

/**
 * Returns the FOCUS rows of an invoice with lines: one per group, provider and model, and an adjustment for each part of
 * the shared cost. Their costs add up to the total of the invoice to the last digit. FOCUS has no unknown cost, so lines
 * without any known price are left out.
 */
export function toFocusRows(invoice: Invoice): readonly FocusRow[] {
  const lines = (invoice.lines ?? []).filter(({ total_cost }) => total_cost !== null)
  const { allocation, rows, by } = invoice
  const usage = lines.map((line) => toUsageRow(invoice, line))
  if (allocation === undefined) return usage
  const toGroup = (group: unknown) => (group === NONE || group === null || group === undefined ? null : String(group))
  const shares = rows.map((row) => toAdjustment(invoice, toGroup(row[by[0]!]), row.allocated))
  const taken = formatDecimal(-parseDecimal(addAmounts(rows.map(({ allocated }) => allocated))))
  return [...usage, ...shares, toAdjustment(invoice, toGroup(allocation.group), taken)]
}

const OWN = "Majordomo Gateway"

function toUsageRow(invoice: Invoice, line: InvoiceLine): FocusRow {
  const tokens = line.input_tokens + line.output_tokens
  const provider = line.provider || "unknown"
  const model = line.model || "unknown"
  return {
    ...toCommon(invoice, line.group, line.total_cost!),
    ChargeCategory: "Usage",
    ChargeDescription: `${line.requests} requests to ${model}: ${line.input_tokens} input and ${line.output_tokens} output tokens`,
    ChargeFrequency: "Usage-Based",
    ConsumedQuantity: tokens,
    ConsumedUnit: "Tokens",
    InvoiceIssuerName: provider,
    PricingCategory: "Standard",
    PricingQuantity: tokens,
    PricingUnit: "Tokens",
    ProviderName: provider,
    PublisherName: provider,
    ResourceId: model,
    ResourceName: model,
    ResourceType: "Model",
    ServiceName: `${provider} API`,
    x_Requests: line.requests,
    x_InputTokens: line.input_tokens,
    x_CachedTokens: line.cached_tokens,
    x_OutputTokens: line.output_tokens,
  }
}

function toAdjustment(invoice: Invoice, group: string | null, cost: string): FocusRow {
  const { group: from, by } = invoice.allocation!
  return {
    ...toCommon(invoice, group, cost),
    ChargeCategory: "Adjustment",
    ChargeDescription: `the cost of ${invoice.by[0]}=${from}, shared by ${by}`,
    ChargeFrequency: "Recurring",
    ConsumedQuantity: null,
    ConsumedUnit: null,
    InvoiceIssuerName: OWN,
    PricingCategory: null,
    PricingQuantity: null,
    PricingUnit: null,
    ProviderName: OWN,
    PublisherName: OWN,
    ResourceId: null,
    ResourceName: null,
    ResourceType: null,
    ServiceName: OWN,
    x_Requests: null,
    x_InputTokens: null,
    x_CachedTokens: null,
    x_OutputTokens: null,
  }
}

/** Returns the columns that all rows of an invoice share. Moments are in UTC, as FOCUS demands. */
function toCommon({ since, until, by }: Invoice, group: string | null, cost: string) {
  const moment = (iso: string) => `${new Date(iso).toISOString().slice(0, 19)}Z`
  const [start, end] = [moment(since), moment(until)]
  return {
    BilledCost: cost,
    BillingAccountId: "majordomo-gateway",
    BillingAccountName: OWN,
    BillingAccountType: "Gateway",
    BillingCurrency: "USD",
    BillingPeriodEnd: end,
    BillingPeriodStart: start,
    ChargeClass: null,
    ChargePeriodEnd: end,
    ChargePeriodStart: start,
    ContractedCost: cost,
    EffectiveCost: cost,
    InvoiceId: null,
    ListCost: cost,
    PricingCurrency: "USD",
    ServiceCategory: "AI and Machine Learning",
    ServiceSubcategory: "Generative AI",
    SubAccountId: group,
    SubAccountName: group,
    SubAccountType: group === null ? null : by[0]!,
    Tags: JSON.stringify(group === null ? {} : { [by[0]!]: group }),
  }
}
