import type { Bucket } from "../../../core/reconciliation.ts"
import { BUCKETS } from "../../../core/reconciliation.ts"
import { findBucket } from "../_bucket.ts"
import { toColumnKey } from "../_columns.ts"
import type { BillFormat, OpenedFile } from "../_format.ts"
import type { FileLine } from "../_lines.ts"

/** The columns of a file of another kind, by what they mean. */
export interface NamedColumns {
  readonly date?: string | undefined
  readonly model?: string | undefined
  readonly cost?: string | undefined
  readonly tokens?: string | undefined
  /** What the row pays for, such as `input`, `cached input` or `output`. */
  readonly bucket?: string | undefined
  readonly tier?: string | undefined
  readonly key?: string | undefined
  readonly project?: string | undefined
  readonly requests?: string | undefined
  readonly currency?: string | undefined
}

/** The names by which columns are recognized, among them those of FOCUS. */
const NAMES = {
  date: [
    "date",
    "day",
    "usagedate",
    "usagedateutc",
    "chargeperiodstart",
    "starttime",
    "starttimeiso",
    "timestamp",
    "time",
  ],
  model: ["model", "modelname", "modelid", "modelversion", "skumeter", "sku", "slug"],
  cost: ["cost", "costusd", "billedcost", "amount", "amountusd", "totalcost", "total", "charge", "spend"],
  tokens: ["tokens", "totaltokens", "quantity", "consumedquantity", "usageamount"],
  bucket: ["bucket", "tokentype", "type", "usagetype", "chargedescription", "lineitem", "item", "description"],
  tier: ["tier", "servicetier"],
  key: ["apikeyid", "keyid", "apikey", "key"],
  project: ["projectid", "project", "workspaceid", "workspace", "subaccountid"],
  requests: ["requests", "nummodelrequests", "numrequests", "calls"],
  currency: ["currency", "billingcurrency", "currencycode"],
} satisfies Record<keyof NamedColumns, readonly string[]>

/** Any file with a date and a cost or tokens. Columns that are not named are recognized by their names. */
export function createGeneric(named: NamedColumns): BillFormat {
  const keysOf = (what: keyof NamedColumns) => (named[what] === undefined ? NAMES[what] : [toColumnKey(named[what])])
  const amounts = new Set([...keysOf("cost"), ...keysOf("tokens"), ...keysOf("requests")])
  const others = (Object.keys(NAMES) as (keyof NamedColumns)[]).filter((what) => what !== "date" && what !== "cost")
  return {
    label: "a file with a date and a cost",
    required: [
      keysOf("date"),
      named.cost === undefined ? [...keysOf("cost"), ...keysOf("tokens")] : keysOf("cost"),
      ...others.filter((what) => named[what] !== undefined).map(keysOf),
    ],
    isAmount: (key) => amounts.has(key),
    open: ({ columns, lines }: OpenedFile) => {
      const costAt = columns.find(...keysOf("cost"))
      const columnCurrency = costAt === undefined ? undefined : columns.currencyOf(costAt)
      return (row) => {
        const cost = row.number(...keysOf("cost"))
        const quantity = row.number(...keysOf("tokens"))
        if (cost === undefined && quantity === undefined) return
        lines.addCurrency(row.text(...keysOf("currency")) ?? columnCurrency)
        const item = row.text(...keysOf("bucket"))
        const line: FileLine = {
          day: row.day(...keysOf("date")),
          model: row.text(...keysOf("model")),
          bucket: toBucket(item),
          tier: row.text(...keysOf("tier")),
          key: row.text(...keysOf("key")),
          project: row.text(...keysOf("project")),
          item,
        }
        lines.add(line, { cost, quantity })
        lines.addRequests(line, row.number(...keysOf("requests")))
      }
    },
  }
}

function toBucket(item: string | undefined): Bucket {
  const text = item?.toLowerCase().trim() ?? ""
  const known = BUCKETS.find((bucket) => bucket === text)
  if (known !== undefined) return known
  if (/\btax\b|\bvat\b/.test(text)) return "tax"
  if (/credit|refund|discount/.test(text)) return "credit"
  return findBucket(text) ?? "all"
}
