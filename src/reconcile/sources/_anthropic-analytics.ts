import { LineTable } from "../line-table.ts"
import { addCost, addUsage, toGroup } from "./_anthropic.ts"
import { endOf, isWithin, splitRange } from "./_days.ts"
import { dayOf, type JsonRecord } from "./_json.ts"
import { readPages } from "./_pages.ts"
import type { Query, Reading } from "./_source.ts"

const MAX_DAYS = 31
/** The most rows on a page, without the token types of a row. */
const MAX_ROWS = 1000
/** The reports allow five dimensions beside the kinds of costs. Both have the same ones, so that their rows join. */
const GROUP_BY = ["model", "api_key_id", "workspace_id", "service_tier"]

/** Reads the Usage and Cost Analytics API of Anthropic (beta of 2026-08-24). */
export async function readAnalytics(reading: Reading): Promise<LineTable> {
  const table = new LineTable()
  const usage = "Anthropic's usage report"
  for await (const { day, row } of readRows(reading, { where: usage, kind: "usage", groupBy: GROUP_BY })) {
    addUsage(table, toGroup(day, groupOf(row)), (row["usage"] ?? {}) as JsonRecord, usage)
  }
  const cost = "Anthropic's cost report"
  const groupBy = [...GROUP_BY, "cost_type", "token_type"]
  for await (const { day, row } of readRows(reading, { where: cost, kind: "cost", groupBy })) {
    const kinds = groupOf(row)
    addCost(table, toGroup(day, kinds), { kinds, amounts: (row["cost"] ?? {}) as JsonRecord }, cost)
  }
  return table
}

async function* readRows(
  reading: Reading,
  { where, kind, groupBy }: { readonly where: string; readonly kind: string; readonly groupBy: readonly string[] },
): AsyncGenerator<{ readonly day: string; readonly row: JsonRecord }> {
  const { now, options } = reading
  for (const range of splitRange(reading.range, MAX_DAYS, now)) {
    const query: Query = {
      starting_at: `${range.since}T00:00:00Z`,
      ending_at: new Date(endOf(range, now)).toISOString(),
      time_bucket_width: "1d",
      group_by: groupBy,
      order_by: "time",
      order: "asc",
      limit: MAX_ROWS,
      workspace_ids: options.workspaces,
      api_key_ids: options.keys,
    }
    for await (const row of readPages(reading, { where, path: `/v1/organizations/analytics/${kind}`, query })) {
      const day = dayOf(row["starting_at"], where)
      if (isWithin(day, range)) yield { day, row }
    }
  }
}

function groupOf(row: JsonRecord): JsonRecord {
  return (row["group"] ?? {}) as JsonRecord
}
