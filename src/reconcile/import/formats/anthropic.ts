import type { Bucket } from "../../../core/reconciliation.ts"
import { findBucket } from "../_bucket.ts"
import type { BillFormat } from "../_format.ts"
import { findClaude } from "../_model-name.ts"
import type { Row } from "../_row.ts"

const COSTS = new Set(["costusd", "listpriceusd"])

/** The costs that the console of Anthropic exports: one row per UTC day, model, workspace, API key and kind of tokens. */
export const anthropicCosts: BillFormat = {
  label: "a cost export of Anthropic",
  required: [["usagedateutc"], ["costusd"], ["model"]],
  isAmount: (key) => COSTS.has(key),
  note: "The console of Anthropic rounds each cost of its export to cents, so that small differences stay unexplained.",
  open: ({ lines }) => {
    return (row) => {
      lines.add(
        { ...groupOf(row), bucket: toBucket(row), item: row.text("tokentype", "costtype") },
        { cost: row.number("costusd"), listCost: row.number("listpriceusd") },
      )
    }
  },
}

const USAGE: readonly (readonly [bucket: Bucket, column: string])[] = [
  ["input", "usageinputtokensnocache"],
  ["cache_write", "usageinputtokenscachewrite5m"],
  ["cache_write", "usageinputtokenscachewrite"],
  ["cache_write_1h", "usageinputtokenscachewrite1h"],
  ["cache_read", "usageinputtokenscacheread"],
  ["output", "usageoutputtokens"],
]
const SEARCHES = "websearchcount"
const USAGE_KEYS = new Set([SEARCHES, ...USAGE.map(([, column]) => column)])

/** The usage that the console of Anthropic exports: one row per UTC day, model, workspace and API key. */
export const anthropicUsage: BillFormat = {
  label: "a usage export of Anthropic",
  required: [["usagedateutc"], ["usageinputtokensnocache"], ["usageoutputtokens"]],
  isAmount: (key) => USAGE_KEYS.has(key),
  open: ({ lines }) => {
    return (row) => {
      const group = groupOf(row)
      const counts = USAGE.map(([bucket, column]) => ({ bucket, quantity: row.number(column) }))
      for (const { bucket, quantity } of counts) if (quantity !== 0n) lines.add({ ...group, bucket }, { quantity })
      const searches = row.number(SEARCHES)
      if (searches !== 0n) lines.add({ ...group, bucket: "tool", item: "web_search" }, { quantity: searches })
    }
  },
}

function groupOf(row: Row) {
  const model = row.text("modelversion", "model")
  return {
    day: row.day("usagedateutc"),
    model: model === undefined ? undefined : (findClaude(model) ?? model),
    tier: row.text("usagetype")?.toLowerCase() === "batch" ? "batch" : "standard",
    key: row.text("apikeyid", "apikey"),
    project: row.text("workspaceid", "workspace"),
  }
}

/** `cost_type` says what is not billed by the token. */
function toBucket(row: Row): Bucket {
  const type = row.text("costtype")?.toLowerCase() ?? ""
  if (/credit|grant|refund|discount/.test(type)) return "credit"
  return findBucket(row.text("tokentype")?.toLowerCase() ?? "") ?? findBucket(type) ?? "other"
}
