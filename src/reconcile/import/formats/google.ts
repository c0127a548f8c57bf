import type { Decimal } from "../../../core/decimal.ts"
import type { Bucket } from "../../../core/reconciliation.ts"
import { createTable } from "../../../core/table.ts"
import { toColumnKey } from "../_columns.ts"
import type { BillFormat, OpenedFile } from "../_format.ts"
import type { FileLine } from "../_lines.ts"
import { parseNumber } from "../_number.ts"
import type { Row } from "../_row.ts"
import { readSku, type Sku } from "./_google-sku.ts"

/** The services of a provider, by the name that the gateway has for it. */
const SERVICES: Readonly<Record<string, RegExp>> = createTable({
  gemini: /gemini api|generative ?language/i,
  vertex: /vertex ai|agent platform|claude/i,
})
const ALL_SERVICES = /gemini api|generative ?language|vertex ai|agent platform|claude/i

const AMOUNTS = ["cost", "unroundedcost", "subtotal", "unroundedsubtotal", "listcost", "costatlist", "usageamount"]
const isAmount = (key: string) => AMOUNTS.includes(key)

/**
 * The Cloud Billing export, downloaded from BigQuery as CSV: the standard or the detailed one. Its times are in UTC. The list of
 * credits is either flattened, so that rows without a time continue the one above, or a list in JSON.
 */
export const googleBigQuery: BillFormat = {
  label: "a Cloud Billing export of Google",
  required: [["usagestarttime"], ["skudescription"], ["cost"]],
  isAmount: (key) => isAmount(key) || key === "creditsamount",
  open: (file) => {
    const readUsage = createReader(file)
    let last: FileLine | undefined
    return (row) => {
      const continues = row.text("usagestarttime") === undefined && row.text("creditsamount") !== undefined
      if (!continues) {
        file.lines.addCurrency(row.text("currency"))
        last = readUsage(row, () => row.dayOfPeriod(["usagestarttime"], ["usageendtime"]), {
          cost: row.number("cost"),
          listCost: row.number("costatlist"),
        })
      }
      if (last === undefined) return
      const { day, project } = last
      const credit = (item: string | undefined, cost: Decimal | undefined) =>
        file.lines.add({ day, project, bucket: "credit", item: item ?? "credit" }, { cost })
      credit(row.text("creditsfullname", "creditsname"), row.number("creditsamount"))
      for (const { name, amount } of readCredits(row)) credit(name, amount)
    }
  },
}

/** The cost table of the console. It has rows of credits and of totals, and a preamble that names the currency. */
export const googleCostTable: BillFormat = {
  label: "a cost table of the Google Cloud console",
  required: [["usagestartdate"], ["skudescription"], ["unroundedcost", "cost"]],
  isAmount,
  note: pacificDays("cost table"),
  open: (file) => {
    addCurrency(file, "unroundedcost", "cost")
    const readUsage = createReader(file)
    return (row) => {
      if (row.text("usagestartdate") === undefined || /total/i.test(row.text("costtype") ?? "")) return
      const day = () => row.dayOfPeriod(["usagestartdate"], ["usageenddate"])
      readUsage(row, day, { cost: row.number("unroundedcost", "cost") })
    }
  },
}

/** The report of the console, grouped by SKU or by service, with one row per day. Rows of totals have no day. */
export const googleReport: BillFormat = {
  label: "a report of the Google Cloud console",
  required: [
    ["date", "day"],
    ["skudescription", "servicedescription"],
    ["unroundedsubtotal", "subtotal", "unroundedcost", "cost"],
  ],
  isAmount,
  note: pacificDays("report"),
  open: (file) => {
    const costs = ["unroundedsubtotal", "subtotal", "unroundedcost", "cost"]
    addCurrency(file, ...costs)
    const readUsage = createReader(file)
    return (row) => {
      if (row.text("date", "day") === undefined || row.text("servicedescription", "skudescription") === undefined)
        return
      readUsage(row, () => row.day("date", "day"), { cost: row.number(...costs), listCost: row.number("listcost") })
    }
  },
}

/** Returns what adds a row of usage, and returns its line; undefined if the row is about another service. */
function createReader({ lines, provider }: OpenedFile) {
  const services = SERVICES[provider] ?? ALL_SERVICES
  const skus = new Map<string, Sku>()
  return (row: Row, day: () => string, amounts: { cost: Decimal | undefined; listCost?: Decimal | undefined }) => {
    const service = row.text("servicedescription") ?? row.text("skudescription") ?? ""
    if (!services.test(service)) return skip(service)
    const item = row.text("skudescription") ?? service
    const sku = skus.get(item) ?? readSku(item)
    skus.set(item, sku)
    lines.addAccount(row.text("billingaccountid"))
    const other = findOther(row)
    const key: FileLine = {
      day: day(),
      project: row.text("projectid"),
      ...(other === undefined ? sku : { bucket: other }),
      item: row.text("credittype") ?? item,
    }
    const isCounted = other === undefined && row.text("skudescription") !== undefined
    lines.add(key, { ...amounts, quantity: isCounted ? row.number("usageamount") : undefined })
    return key
  }

  function skip(service: string): undefined {
    lines.skip(service === "" ? undefined : service)
  }
}

/** Returns the bucket of a row that is not about usage. */
function findOther(row: Row): Bucket | undefined {
  if (row.text("credittype") !== undefined) return "credit"
  const type = row.text("costtype")?.toLowerCase()
  if (type === undefined || type === "regular" || type === "usage") return undefined
  return type === "tax" ? "tax" : "other"
}

/** Reads `credits`, if it is a list in JSON. The amounts are read as text, because a float would change them. */
function* readCredits(
  row: Row,
): Generator<{ readonly name: string | undefined; readonly amount: Decimal | undefined }> {
  const text = row.text("credits")
  if (text?.startsWith("[") !== true) return
  for (const [object] of text.matchAll(/\{[^{}]*\}/g)) {
    const amount = /"amount"\s*:\s*"?([-+\d.eE]+)/.exec(object)?.[1]
    const name = /"(?:full_name|name)"\s*:\s*"([^"]*)"/.exec(object)?.[1]
    yield { name, amount: amount === undefined ? undefined : parseNumber(amount, ".") }
  }
}

/** The preamble says the currency by its code; the name of the column has a sign, and `$` can be that of another country. */
function addCurrency({ lines, preamble, columns }: OpenedFile, ...costs: readonly string[]): void {
  const named = preamble.find(({ cells }) => toColumnKey(cells[0] ?? "") === "currency")?.cells[1]?.trim()
  const at = columns.find(...costs)
  lines.addCurrency(named || (at === undefined ? undefined : columns.currencyOf(at)))
}

function pacificDays(kind: string): string {
  return `The days of the ${kind} are days in Pacific time, which begin at 07:00 or 08:00 UTC. Use the export to BigQuery for UTC days.`
}
