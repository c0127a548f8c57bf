import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { toCsv } from "../../src/cli/_csv.ts"
import { amount, formatDecimal, multiply, parseDecimal } from "../../src/core/decimal.ts"
import type { Database } from "../../src/database/_database.ts"
import { openPostgres } from "../../src/database/open.ts"
import { prune } from "../../src/database/prune.ts"
import { addAmounts } from "../../src/operations/usage/allocate.ts"
import { FOCUS_COLUMNS, toFocusCells, toFocusRows } from "../../src/operations/usage/focus.ts"
import { createInvoice, type Invoice, NONE, parseAllocation } from "../../src/operations/usage/invoice.ts"
import { parseDimensions, parseFilters, parseNamedPeriod } from "../../src/operations/usage/question.ts"
import { postgresAt } from "../support/databases.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { createRandom, insertRandomUsage } from "../support/random-usage.ts"
import { insertKey, insertRows, type RowSeed } from "../support/usage-rows.ts"

const NOW = Date.parse("2026-11-20T12:00:00Z")
type Row = ReturnType<typeof toFocusRows>[number]

/** The lines of a request: tokens and pieces in a service tier, with the discount of a key. */
function aCertificate(random: () => number, isDiscounted: boolean) {
  const factors = [
    { name: "tier flex", value: "0.5" },
    ...(isDiscounted ? [{ name: "key discount", value: "0.85", fees: true }] : []),
  ]
  const line = (bucket: string, rate: string, per: "million" | "one", more = {}) => {
    const quantity = Math.ceil(random() * (per === "million" ? 5000 : 3))
    const factor = formatDecimal(
      multiply(parseDecimal(per === "million" ? "0.5" : "1"), parseDecimal(isDiscounted ? "0.85" : "1")),
    )
    const of = {
      quantity,
      rate: parseDecimal(rate),
      factor: parseDecimal(factor),
      per: per === "one" ? 1n : 1_000_000n,
    }
    return { bucket, model: "gpt-5", quantity, rate, per, factor, amount: formatDecimal(amount(of)), ...more }
  }
  const lines = [
    line("input", "1.25", "million"),
    line("cacheRead", "0.125", "million"),
    line("output", "10", "million"),
    line("webSearches", "0.01", "one"),
    line("images", "0.04", "one", { kind: "1024x1024 hd" }),
  ]
  return { lines, factors, tier: "flex" }
}

/** A request with a certificate; every seventh has another cost, which its provider reported. */
function aRequest(random: () => number, i: number): RowSeed {
  const price = aCertificate(random, i % 3 === 0)
  const computed = addAmounts(price.lines.map(({ amount }) => amount))
  const reported = i % 7 === 0 ? `0.${i + 1}` : undefined
  const at = `2026-07-${String(1 + (i % 30)).padStart(2, "0")}T12:00:00Z`
  const metadata: Record<string, string> = i % 5 === 0 ? {} : { "User-Id": `u${i % 4}` }
  const cost = reported ?? computed
  return { at, cost, metadata, model: "gpt-5-2026", price: { ...price, ...(reported && { reported, computed }) } }
}

let home: TestDatabase
let database: Database
beforeAll(async () => {
  home = await createTestDatabase()
  database = await openPostgres(postgresAt(home.url, { maxConns: 4 }).postgres)
  const client = new pg.Client({ connectionString: home.url })
  await client.connect()
  const keys = [await insertKey(client, "alpha"), await insertKey(client, "beta"), await insertKey(client, "alpha")]
  await insertRandomUsage(client, { rows: 400, since: "2026-06-25", until: "2026-08-05", keys, seed: 20 })
  const random = createRandom(7)
  const requests = Array.from({ length: 60 }, (_, i) => ({ ...aRequest(random, i), key: keys[i % 3]! }))
  const exact = { at: "2026-07-09T12:00:00Z", model: "one", metadata: { "User-Id": "one" } }
  const line = { bucket: "input", model: "one", quantity: 600, rate: "2.5", factor: "0.85", amount: "0.001275" }
  const price = { lines: [line], factors: [{ name: "key discount", value: "0.85", fees: true }] }
  await insertRows(client, [...requests, { ...exact, cost: "0.001275", price }])
  await client.end()
})
afterAll(async () => {
  await database.close()
  await home.drop()
})

function invoiceOf({ by = "User-Id", allocate }: { by?: string; allocate?: string } = {}, tz = "Asia/Kathmandu") {
  const [dimension] = parseDimensions(by)
  const question = {
    by: dimension!,
    period: parseNamedPeriod("month", "2026-07", { now: NOW, tz }),
    filters: parseFilters({ where: [] }),
    allocation: parseAllocation(allocate, dimension!),
    hasLines: true,
  }
  return createInvoice({ database, now: () => NOW }, question)
}

const NUMBER = /^-?\d+(\.\d+)?$/
const UNIT_PRICES = ["ListUnitPrice", "ContractedUnitPrice"] as const

/** The rules of FOCUS 1.2 for the columns that we write. */
function checkFocus(row: Row): void {
  expect(Object.keys(row).sort()).toEqual([...FOCUS_COLUMNS].sort())
  for (const cost of ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"] as const)
    expect(row[cost]).toMatch(NUMBER)
  for (const name of ["ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd"] as const)
    expect(row[name]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  expect(String(row.ChargePeriodStart) < String(row.ChargePeriodEnd)).toBe(true)
  expect([row.ChargeClass, row.InvoiceId, row.InvoiceIssuerName]).toEqual([null, null, row.ProviderName])
  expect([row.BillingCurrency, row.PricingCurrency, row.ChargeFrequency]).toEqual(["USD", "USD", "Usage-Based"])
  expect([row.ServiceCategory, row.ServiceSubcategory]).toEqual(["AI and Machine Learning", "Generative AI"])
  for (const name of ["ProviderName", "PublisherName", "ServiceName", "ChargeDescription"] as const)
    expect(row[name]).toBeTruthy()
  expect(row.ResourceType === null).toBe(row.ResourceId === null)
  expect(row.SubAccountType === null).toBe(row.SubAccountId === null)
  for (const name of ["ListUnitPrice", "ContractedUnitPrice", "EffectiveCost"] as const)
    expect(row[`PricingCurrency${name}`]).toBe(row[name])
  expect(typeof JSON.parse(String(row.Tags))).toBe("object")
  if (row.ChargeCategory === "Usage") checkUsage(row)
  else {
    expect(row.ChargeCategory).toBe("Adjustment")
    for (const name of [...UNIT_PRICES, "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit"] as const)
      expect(row[name]).toBeNull()
    for (const name of ["PricingCategory", "SkuId", "SkuMeter", "SkuPriceId", "SkuPriceDetails"] as const)
      expect(row[name]).toBeNull()
    expect([row.ListCost, row.ContractedCost]).toEqual([row.BilledCost, row.BilledCost])
  }
}

function checkUsage(row: Row): void {
  for (const name of ["SkuId", "SkuMeter", "SkuPriceId", "ConsumedUnit", "PricingUnit"] as const)
    expect(row[name]).toBeTruthy()
  expect(row.PricingCategory).toBe("Standard")
  for (const key of Object.keys(JSON.parse(row.SkuPriceDetails!))) expect(key).toMatch(/^x_/)
  const [list, contracted, quantity] = [row.ListUnitPrice, row.ContractedUnitPrice, row.PricingQuantity]
  for (const number of [list, contracted, quantity]) expect(number).toMatch(/^\d+(\.\d+)?$/)
  const product = (price: string | null) => formatDecimal(multiply(parseDecimal(price!), parseDecimal(quantity!)))
  expect([row.ListCost, row.ContractedCost]).toEqual([product(list), product(contracted)])
  // Each request rounds its amounts to 12 digits.
  expect(Math.abs(Number(row.BilledCost) - Number(row.ContractedCost))).toBeLessThan(1e-10)
  const unit = row.PricingUnit === "1000000 Tokens" ? 1e6 : 1
  expect(Number(row.ConsumedQuantity)).toBeCloseTo(Number(quantity) * unit, 6)
}

/** Checks that rows add up to the invoice, and those of each group to its amount. */
function checkSums(invoice: Invoice, rows: readonly Row[]): void {
  const sum = (some: readonly Row[]) => addAmounts(some.map(({ BilledCost }) => BilledCost))
  expect(sum(rows)).toBe(invoice.total.total_cost)
  const by = invoice.by[0]!
  const groups = new Map<unknown, string>()
  for (const row of invoice.rows) {
    const group = row[by] === NONE ? null : row[by]
    groups.set(group, addAmounts([groups.get(group) ?? null, row.amount]))
  }
  for (const [group, amount] of groups) expect(sum(rows.filter((row) => row.SubAccountId === group))).toBe(amount)
}

const CASES = [{}, { by: "key" }, { by: "model" }, { by: "Feature" }, { allocate: "User-Id=(none) by cost" }]

describe("rows of FOCUS", () => {
  test.each(CASES)("follow the rules of their columns, and add up to the invoice (%j)", async (of) => {
    const invoice = await invoiceOf(of)
    const rows = toFocusRows(invoice)
    rows.forEach(checkFocus)
    checkSums(invoice, rows)
    expect(rows[0]!.BillingPeriodStart).toBe("2026-06-30T18:15:00Z")
    expect(new Set(rows.map((row) => row.ChargeCategory))).toEqual(new Set(["Usage", "Adjustment"]))
  })

  test("have the price of each kind of tokens, before and after the discount of the key", async () => {
    const rows = toFocusRows(await invoiceOf()).filter(({ SubAccountId }) => SubAccountId === "one")
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({
      ...{ SkuId: "openai/one/input", SkuPriceId: "openai/one/input@2.5", SkuMeter: "Input Tokens" },
      ...{ ConsumedQuantity: "600", ConsumedUnit: "Tokens", PricingQuantity: "0.0006", PricingUnit: "1000000 Tokens" },
      ...{ ListUnitPrice: "2.5", ListCost: "0.0015", ContractedUnitPrice: "2.125", ContractedCost: "0.001275" },
      ...{ BilledCost: "0.001275", ProviderName: "openai", ResourceId: "one", SubAccountType: "User-Id" },
    })
    const meters = new Set(toFocusRows(await invoiceOf({ by: "key" })).map(({ SkuMeter }) => SkuMeter))
    for (const meter of ["Input Tokens", "Cache Read Tokens", "Output Tokens", "Web Searches", "Images (1024x1024 hd)"])
      expect(meters).toContain(meter)
  })

  const validator = process.env["FOCUS_VALIDATOR"]
  test.skipIf(validator === undefined)(
    "pass focus-validator (skipped unless FOCUS_VALIDATOR is the path of version 2.2.1)",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "focus-"))
      try {
        const file = join(folder, "focus.csv")
        const cells = toFocusCells(await invoiceOf({ allocate: "User-Id=(none) by cost" }))
        await writeFile(file, toCsv(FOCUS_COLUMNS, cells))
        // The validator looks for its list of currencies in its working directory, where it also writes a log.
        await mkdir(join(folder, "focus_validator", "rules"), { recursive: true })
        await writeFile(join(folder, "focus_validator", "rules", "currency_codes.csv"), ",currency_codes\n0,USD\n")
        const args = ["--data-file", file, "--validate-version", "1.2", "--block-download", "--show-violations"]
        const { stdout } = await promisify(execFile)(validator!, [...args, "--applicability-criteria", APPLICABLE], {
          cwd: folder,
          maxBuffer: 1e8,
        })
        // It reports both halves of "an id is null without an invoice, and otherwise not", of which one must fail.
        const failed = [...stdout.matchAll(/(\S+): FAIL/g)].map(([, rule]) => rule)
        expect(failed).toEqual(["InvoiceId-C-005-C"])
        expect(stdout).toContain("InvoiceId-C-003-C: PASS")
        expect(stdout).toContain("ListUnitPrice-C-010-C: PASS")
      } finally {
        await rm(folder, { recursive: true })
      }
    },
    120_000,
  )

  test("still add up once the requests of a part of the month are pruned, whose unit prices are then not known", async () => {
    await prune(database, { olderThan: Date.parse("2026-07-12T00:00:00Z"), bodiesOnly: false })
    for (const by of ["User-Id", "key", "model"]) {
      const invoice = await invoiceOf({ by }, "UTC")
      const rows = toFocusRows(invoice)
      rows.forEach(checkFocus)
      checkSums(invoice, rows)
    }
  })
})

/** What applies to a gateway: accounts have names, and groups are sub-accounts that use units at public prices. */
const APPLICABLE = [
  "ACCOUNT_NAMING_SUPPORTED",
  "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED",
  "MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED",
  "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
  "NEGOTIATED_PRICING_SUPPORTED",
  "PUBLIC_PRICE_LIST_SUPPORTED",
  "USAGE_MEASUREMENT_SUPPORTED",
  "UNIT_PRICING_SUPPORTED",
  "SUB_ACCOUNT_SUPPORTED",
  "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
  "TAGGING_SUPPORTED",
].join(",")
