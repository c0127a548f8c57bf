import { formatDecimal, multiply, parseDecimal } from "../../core/decimal.ts"
import { addAmounts } from "./allocate.ts"
import { type Invoice, type InvoiceCharge, NONE } from "./invoice.ts"

/**
 * The columns of FOCUS 1.2 (https://focus.finops.org/focus-specification/v1-2/) that an invoice has, in their order.
 * Columns for commitments, reservations, regions and zones are left out: the gateway knows nothing of them. Only the status
 * of a commitment is there, and always null, because rules of other columns refer to it.
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
  "CommitmentDiscountStatus",
  "ConsumedQuantity",
  "ConsumedUnit",
  "ContractedCost",
  "ContractedUnitPrice",
  "EffectiveCost",
  "InvoiceId",
  "InvoiceIssuerName",
  "ListCost",
  "ListUnitPrice",
  "PricingCategory",
  "PricingCurrency",
  "PricingCurrencyContractedUnitPrice",
  "PricingCurrencyEffectiveCost",
  "PricingCurrencyListUnitPrice",
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
  "SkuId",
  "SkuMeter",
  "SkuPriceDetails",
  "SkuPriceId",
  "SubAccountId",
  "SubAccountName",
  "SubAccountType",
  "Tags",
] as const

type FocusRow = Readonly<Record<(typeof FOCUS_COLUMNS)[number], string | null>>

/** What an amount is for. Without a provider or a model, it is a part of the whole cost of a group. */
interface Subject {
  readonly group: string | null
  readonly provider?: string
  readonly model?: string
}

/**
 * Returns the FOCUS rows of an invoice with lines: one of usage per group, provider, model and price, and adjustments for
 * what has no unit price (the provider reported the cost, or the requests were pruned) and for the parts of the shared
 * cost. The billed costs add up to the total of the invoice to the last digit. FOCUS has no unknown cost, so what has no
 * known price is left out.
 */
export function toFocusRows(invoice: Invoice): readonly FocusRow[] {
  const { allocation, rows, by } = invoice
  const own = new Map<string | null, string>()
  for (const row of rows) add(own, toGroup(row[by[0]!]), row.total_cost)
  if (allocation !== undefined) add(own, toGroup(allocation.group), allocation.amount)
  // A name with very many values has a group of the others in rollups. Rows would divide it further.
  const ofGroups = <T extends { readonly group: string | null }>(all: readonly T[] = []) =>
    all.map((each) => ({ ...each, group: toGroup(each.group) })).filter(({ group }) => own.has(group))
  const charges = ofGroups(invoice.charges)
  const lines = ofGroups(invoice.lines)
  const usage = charges.map((charge) => toUsageRow(invoice, charge))
  const rest = [
    ...subtract(lines.map(toAmount), charges.map(toAmount)),
    ...subtract(
      [...own].map(([group, cost]) => ({ group, cost })),
      lines.map(({ group, total_cost: cost }) => ({ group, cost })),
    ),
  ].map(({ cost, ...of }) =>
    toAdjustment(invoice, of, cost, "cost without a unit price: reported as a whole, or pruned"),
  )
  if (allocation === undefined) return [...usage, ...rest]
  const why = `the cost of ${by[0]}=${allocation.group}, shared by ${allocation.by}`
  const shares = rows.map((row) => toAdjustment(invoice, { group: toGroup(row[by[0]!]) }, row.allocated, why))
  const taken = formatDecimal(-parseDecimal(addAmounts(rows.map(({ allocated }) => allocated))))
  return [...usage, ...rest, ...shares, toAdjustment(invoice, { group: toGroup(allocation.group) }, taken, why)]
}

/**
 * Returns the cells of these rows in the order of `FOCUS_COLUMNS`. Decimals have a point, because programs guess the type of a
 * column of CSV from its values.
 */
export function toFocusCells(invoice: Invoice): readonly (readonly (string | null)[])[] {
  const isDecimal = FOCUS_COLUMNS.map((name) => /(Cost|Price|Quantity)$/.test(name))
  const toCell = (text: string | null, i: number) => (isDecimal[i] && /^-?\d+$/.test(text ?? "") ? `${text}.0` : text)
  return toFocusRows(invoice).map((row) => FOCUS_COLUMNS.map((name, i) => toCell(row[name], i)))
}

const toGroup = (group: unknown) => (group === NONE || group === null || group === undefined ? null : String(group))

function add<K>(sums: Map<K, string>, key: K, cost: string | null): void {
  sums.set(key, addAmounts([sums.get(key) ?? null, cost]))
}

type Amount = Subject & { readonly cost: string | null }

function toAmount(of: Subject & ({ readonly cost: string } | { readonly total_cost: string | null })): Amount {
  const { group, provider = "", model = "" } = of
  return { group, provider, model, cost: "cost" in of ? of.cost : of.total_cost }
}

/** Returns what remains of amounts, for each subject where that is not 0. */
function subtract(amounts: readonly Amount[], parts: readonly Amount[]): (Subject & { readonly cost: string })[] {
  const sums = new Map<string, string>()
  const put = (cost: string | null, of: Subject) => add(sums, JSON.stringify(of), cost)
  for (const { cost, ...of } of amounts) put(cost, of)
  for (const { cost, ...of } of parts) put(formatDecimal(-parseDecimal(cost ?? "0")), of)
  return [...sums].flatMap(([of, cost]) => (cost === "0" ? [] : [{ ...(JSON.parse(of) as Subject), cost }]))
}

const OWN = "Majordomo Gateway"
const MILLIONTH = parseDecimal("0.000001")

function toUsageRow(invoice: Invoice, charge: InvoiceCharge): FocusRow {
  const { quantity, per, list_price, price, cost, tier, bucket } = charge
  const { meter, unit } = toMeter(charge)
  const isTokens = per === "million"
  const priced = isTokens ? multiply(parseDecimal(quantity), MILLIONTH) : parseDecimal(quantity)
  const costAt = (price: string) => formatDecimal(multiply(parseDecimal(price), priced))
  const provider = charge.provider || "unknown"
  const sku = [provider, charge.priced_model ?? charge.model, bucket, ...(charge.kind === null ? [] : [charge.kind])]
  return {
    ...toCommon(invoice, charge, cost),
    ChargeCategory: "Usage",
    ChargeDescription: `${meter} of ${charge.model || "an unknown model"}: ${quantity} at ${price} USD per ${per}`,
    ConsumedQuantity: quantity,
    ConsumedUnit: unit,
    ContractedCost: costAt(price),
    ContractedUnitPrice: price,
    ListCost: costAt(list_price),
    ListUnitPrice: list_price,
    PricingCategory: "Standard",
    PricingCurrencyContractedUnitPrice: price,
    PricingCurrencyListUnitPrice: list_price,
    PricingQuantity: formatDecimal(priced),
    PricingUnit: isTokens ? `1000000 ${unit}` : unit,
    SkuId: sku.join("/"),
    SkuMeter: meter,
    SkuPriceDetails: JSON.stringify({ x_Bucket: bucket, ...(tier !== null && { x_ServiceTier: tier }) }),
    SkuPriceId: `${[...sku, ...(tier === null ? [] : [tier])].join("/")}@${list_price}`,
  }
}

/** Returns the name of what is counted, such as `Cache Read Tokens`, and its unit by the rules of FOCUS. */
function toMeter({ bucket, kind, per }: InvoiceCharge) {
  const words = bucket.replace(/[A-Z]|\d+/g, " $&").replace(/^./, (first) => first.toUpperCase())
  const name = per === "million" ? `${words} Tokens` : words
  const unit = per === "million" ? "Tokens" : words.endsWith("Seconds") ? "Seconds" : words
  return { meter: kind === null ? name : `${name} (${kind})`, unit }
}

function toAdjustment(invoice: Invoice, of: Subject, cost: string, why: string): FocusRow {
  return {
    ...toCommon(invoice, of, cost),
    ChargeCategory: "Adjustment",
    ChargeDescription: why,
    ConsumedQuantity: null,
    ConsumedUnit: null,
    ContractedCost: cost,
    ContractedUnitPrice: null,
    ListCost: cost,
    ListUnitPrice: null,
    PricingCategory: null,
    PricingCurrencyContractedUnitPrice: null,
    PricingCurrencyListUnitPrice: null,
    PricingQuantity: null,
    PricingUnit: null,
    SkuId: null,
    SkuMeter: null,
    SkuPriceDetails: null,
    SkuPriceId: null,
  }
}

/** Returns the columns that all rows of an invoice share. Moments are in UTC, as FOCUS demands. */
function toCommon({ since, until, by }: Invoice, { group, provider, model }: Subject, cost: string) {
  const moment = (iso: string) => `${new Date(iso).toISOString().slice(0, 19)}Z`
  const [start, end] = [moment(since), moment(until)]
  const seller = provider === undefined ? OWN : provider || "unknown"
  return {
    BilledCost: cost,
    BillingAccountId: "majordomo-gateway",
    BillingAccountName: OWN,
    BillingAccountType: "Gateway",
    BillingCurrency: "USD",
    BillingPeriodEnd: end,
    BillingPeriodStart: start,
    ChargeClass: null,
    ChargeFrequency: "Usage-Based",
    ChargePeriodEnd: end,
    ChargePeriodStart: start,
    CommitmentDiscountStatus: null,
    EffectiveCost: cost,
    // The ids of the invoices of providers are not known.
    InvoiceId: null,
    InvoiceIssuerName: seller,
    PricingCurrency: "USD",
    PricingCurrencyEffectiveCost: cost,
    ProviderName: seller,
    PublisherName: seller,
    ResourceId: model || null,
    // A model has no name other than its id, and FOCUS forbids to repeat that.
    ResourceName: null,
    ResourceType: model ? "Model" : null,
    ServiceCategory: "AI and Machine Learning",
    ServiceName: provider === undefined ? OWN : `${seller} API`,
    ServiceSubcategory: "Generative AI",
    SubAccountId: group,
    SubAccountName: group,
    SubAccountType: group === null ? null : by[0]!,
    Tags: JSON.stringify(group === null ? {} : { [by[0]!]: group }),
  }
}
