import type { Decimal } from "../../../core/decimal.ts"
import type { Bucket } from "../../../core/reconciliation.ts"
import { readLineItem, toTier } from "../../openai-item.ts"
import type { BillFormat, OpenedFile } from "../_format.ts"
import type { Row } from "../_row.ts"

const COSTS = new Set(["amountvalue", "quantity"])

/**
 * The costs that OpenAI's usage page exports: one row per day, line item, project and API key, in UTC. A day without costs
 * has a row with the two times only.
 */
export const openaiCosts: BillFormat = {
  label: "a cost export of OpenAI",
  required: [["starttimeiso", "starttime"], ["amountvalue"], ["lineitem"]],
  isAmount: (key) => COSTS.has(key),
  open: ({ lines }) => {
    return (row) => {
      const cost = row.number("amountvalue")
      if (cost === undefined) return
      lines.addAccount(row.text("organizationid"))
      lines.addCurrency(row.text("amountcurrency"))
      const item = row.text("lineitem")
      const meaning = item === undefined ? { bucket: "all" as const } : readLineItem(item)
      const day = row.day("starttimeiso", "starttime")
      lines.add(
        { day, ...meaning, key: row.text("apikeyid"), project: row.text("projectid"), item },
        { cost, quantity: item === undefined ? undefined : row.number("quantity") },
      )
    }
  },
}

const PARTS: readonly (readonly [bucket: Bucket, column: string])[] = [
  ["cache_read", "inputcachedtokens"],
  ["cache_write", "inputcachewritetokens"],
  ["audio_input", "inputaudiotokens"],
  ["image_input", "inputimagetokens"],
]
const OUTPUT_PARTS: readonly (readonly [bucket: Bucket, column: string])[] = [
  ["audio_output", "outputaudiotokens"],
  ["image_output", "outputimagetokens"],
]
const USAGE = new Set([
  "inputtokens",
  "outputtokens",
  "nummodelrequests",
  ...[...PARTS, ...OUTPUT_PARTS].map(([, key]) => key),
])

/** The activity that OpenAI's usage page exports: the tokens of each day, with the names that its API has too. */
export const openaiUsage: BillFormat = {
  label: "an activity export of OpenAI",
  required: [["starttimeiso", "starttime"], ["inputtokens"], ["nummodelrequests"]],
  isAmount: (key) => USAGE.has(key),
  open: ({ lines }: OpenedFile) => {
    return (row) => {
      if (row.text("inputtokens") === undefined) return
      lines.addAccount(row.text("organizationid"))
      const group = {
        day: row.day("starttimeiso", "starttime"),
        model: row.text("model"),
        tier: row.text("batch")?.toLowerCase() === "true" ? "batch" : toTier(row.text("servicetier")),
        key: row.text("apikeyid"),
        project: row.text("projectid"),
      }
      const counts = [
        ...split(row, "input", "inputtokens", PARTS),
        ...split(row, "output", "outputtokens", OUTPUT_PARTS),
      ]
      const used = counts.filter(([, quantity]) => quantity > 0n)
      // A group without tokens keeps one line, which has its requests.
      for (const [bucket, quantity] of used.length > 0 ? used : counts.slice(0, 1)) {
        lines.add({ ...group, bucket }, { quantity })
      }
      lines.addRequests({ ...group, bucket: "input" }, row.number("nummodelrequests"))
    }
  },
}

/** Splits all tokens of a direction into buckets that do not overlap: what has no part of its own is text. */
function split(row: Row, text: Bucket, total: string, parts: typeof PARTS): readonly (readonly [Bucket, Decimal])[] {
  const counts = parts.map(([bucket, column]) => [bucket, row.number(column) ?? 0n] as const)
  const rest = counts.reduce((sum, [, quantity]) => sum - quantity, row.number(total) ?? 0n)
  return [[text, rest > 0n ? rest : 0n], ...counts]
}
