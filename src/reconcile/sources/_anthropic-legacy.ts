import { LineTable } from "../line-table.ts"
import { addCost, addUsage, toGroup } from "./_anthropic.ts"
import { isWithin, splitRange } from "./_days.ts"
import { dayOf, type JsonRecord, recordsOf, textOf } from "./_json.ts"
import { readPages } from "./_pages.ts"
import type { Query, Reading } from "./_source.ts"

/** The most daily buckets on a page. */
const MAX_DAYS = 31

/** Reads the legacy reports of Anthropic, which say costs by workspace and not by API key. */
export async function readLegacy(reading: Reading): Promise<LineTable> {
  const { keys, workspaces } = reading.options
  const table = new LineTable()
  const usage = "Anthropic's legacy usage report"
  const path = "/v1/organizations/usage_report/messages"
  const groupBy = ["model", "api_key_id", "workspace_id", "service_tier"]
  const query = { group_by: groupBy, api_key_ids: keys, workspace_ids: workspaces }
  for await (const { day, row } of readRows(reading, { where: usage, path, query })) {
    addUsage(table, toGroup(day, row), row, usage)
  }
  if ((keys?.length ?? 0) > 0) {
    reading.note("Anthropic's legacy cost report cannot be limited to API keys, so this bill has tokens and no costs.")
    return table
  }
  await readCosts(reading, table)
  return table
}

async function readCosts(reading: Reading, table: LineTable): Promise<void> {
  const where = "Anthropic's legacy cost report"
  const { workspaces = [] } = reading.options
  const query = { group_by: ["workspace_id", "description"] }
  for await (const { day, row } of readRows(reading, { where, path: "/v1/organizations/cost_report", query })) {
    // This report has no filter of its own.
    if (workspaces.length > 0 && !workspaces.includes(textOf(row["workspace_id"]) ?? "")) continue
    addCost(table, toGroup(day, row), { kinds: row, amounts: row }, where)
  }
  reading.note("Anthropic's legacy cost report has no costs of the priority tier, and no costs of single API keys.")
}

async function* readRows(
  reading: Reading,
  { where, path, query }: { readonly where: string; readonly path: string; readonly query: Query },
): AsyncGenerator<{ readonly day: string; readonly row: JsonRecord }> {
  for (const range of splitRange(reading.range, MAX_DAYS, reading.now)) {
    // The report has the buckets that end at this time or before, so the current day ends in the future.
    const days = {
      starting_at: `${range.since}T00:00:00Z`,
      ending_at: `${range.until}T00:00:00Z`,
      bucket_width: "1d",
      limit: MAX_DAYS,
    }
    for await (const bucket of readPages(reading, { where, path, query: { ...days, ...query } })) {
      const day = dayOf(bucket["starting_at"], where)
      if (!isWithin(day, range)) continue
      for (const row of recordsOf(bucket["results"], where)) yield { day, row }
    }
  }
}
