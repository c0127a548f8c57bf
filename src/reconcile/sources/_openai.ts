import type { BillLine } from "../../core/reconciliation.ts"
import { LineTable } from "../line-table.ts"
import { readLineItem } from "../openai-item.ts"
import type { Endpoint } from "./_client.ts"
import { dayAt, endOf, isWithin, splitRange, startOf } from "./_days.ts"
import { decimalOf, type JsonRecord, recordsOf, textOf, unexpected } from "./_json.ts"
import { assignTiers } from "./_openai-tiers.ts"
import { addUsage, USAGE_FAMILIES, type UsageFamily } from "./_openai-usage.ts"
import { readPages } from "./_pages.ts"
import type { DayRange, Query, Reading } from "./_source.ts"
import { SourceError } from "./source-error.ts"

export const OPENAI: Endpoint = {
  baseUrl: "https://api.openai.com",
  versionPath: "/v1",
  headers: (credential) => ({ authorization: `Bearer ${credential}` }),
  accountHeader: "openai-organization",
  words: {
    name: "OpenAI",
    setting: "reconcile.openai.admin_key (or OPENAI_ADMIN_KEY)",
    keyKind: "admin key",
    keyPrefix: "sk-admin-",
    modelKeyPrefix: "sk-",
    createAt: "https://platform.openai.com/settings/organization/admin-keys",
    right: "It needs the permission to read usage (api.usage.read), which an owner of the organization gives.",
  },
}

/** The largest numbers of daily buckets on a page. */
const MAX_USAGE_DAYS = 31
const MAX_COST_DAYS = 180

/** Reads the usage reports and the costs. They are lines of their own, because their details differ. */
export async function readOpenAi(reading: Reading): Promise<{ readonly source: "api"; readonly lines: BillLine[] }> {
  const usage = new LineTable()
  for (const family of USAGE_FAMILIES) {
    if (family.hasKeys || !isLimitedToKeys(reading)) await readFamily(reading, family, usage)
  }
  if (isLimitedToKeys(reading)) {
    reading.note(
      "OpenAI cannot limit code interpreter sessions and vector stores to API keys, so their usage is left out.",
    )
  }
  const usageLines = usage.toLines()
  const counted = new Set(usageLines.map(({ day, bucket }) => `${day} ${bucket}`))
  const costs = await readCosts(reading, counted)
  return { source: "api", lines: [...usageLines, ...assignTiers(costs, usageLines)] }
}

async function readFamily(reading: Reading, family: UsageFamily, table: LineTable): Promise<void> {
  const where = `OpenAI's usage report of ${family.name.replaceAll("_", " ")}`
  const path = `/v1/organization/usage/${family.name}`
  const keys = family.hasKeys ? reading.options.keys : undefined
  try {
    for (const range of splitRange(reading.range, MAX_USAGE_DAYS, reading.now)) {
      const query = { ...toQuery(reading, range), api_key_ids: keys, group_by: family.groupBy, limit: MAX_USAGE_DAYS }
      for await (const { day, row } of readBuckets(reading, { where, path, query }, range)) {
        addUsage(table, family, row, { day, where })
      }
    }
  } catch (error) {
    // Reports were added over the years, and a proxy in front of OpenAI may not know the newest.
    if (!(error instanceof SourceError) || error.status !== 404 || family.name === "completions") throw error
    reading.note(`${where} does not exist at this address, so its usage is left out.`)
  }
}

/** `counted` has the days and buckets, such as `2026-11-01 input`, whose quantities are in the usage reports. */
async function readCosts(reading: Reading, counted: ReadonlySet<string>): Promise<BillLine[]> {
  const where = "OpenAI's cost report"
  const path = "/v1/organization/costs"
  const table = new LineTable()
  for (const range of splitRange(reading.range, MAX_COST_DAYS, reading.now)) {
    const groupBy = ["project_id", "line_item", "api_key_id"]
    const query = {
      ...toQuery(reading, range),
      api_key_ids: reading.options.keys,
      group_by: groupBy,
      limit: MAX_COST_DAYS,
    }
    for await (const { day, row } of readBuckets(reading, { where, path, query }, range)) {
      addCost(table, row, { day, where, counted })
    }
  }
  return table.toLines()
}

function addCost(
  table: LineTable,
  row: JsonRecord,
  { day, where, counted }: { readonly day: string; readonly where: string; readonly counted: ReadonlySet<string> },
): void {
  const amount = (row["amount"] ?? {}) as JsonRecord
  const currency = textOf(amount["currency"])?.toLowerCase() ?? "usd"
  if (currency !== "usd") throw unexpected(where, `its amounts are in ${currency.toUpperCase()}, not in USD`)
  const cost = decimalOf(amount, "value", where)
  if (cost === undefined) return
  const item = textOf(row["line_item"])
  const meaning =
    item === undefined ? { model: undefined, tier: undefined, bucket: "all" as const } : readLineItem(item)
  // The quantity of the usage reports has more details, and would be counted twice.
  const quantity = counted.has(`${day} ${meaning.bucket}`) ? undefined : decimalOf(row, "quantity", where)
  const group = { day, key: textOf(row["api_key_id"]), project: textOf(row["project_id"]) }
  table.add({ ...group, ...meaning, item }, { cost, quantity })
}

/** Reads the rows of a report with the day of their bucket. */
async function* readBuckets(
  reading: Reading,
  report: Parameters<typeof readPages>[1],
  range: DayRange,
): AsyncGenerator<{ readonly day: string; readonly row: JsonRecord }> {
  for await (const bucket of readPages(reading, report)) {
    const start = Number(bucket["start_time"])
    if (!Number.isSafeInteger(start)) throw unexpected(report.where, `"start_time" is not a time`)
    const day = dayAt(start * 1000)
    if (!isWithin(day, range)) continue
    for (const row of recordsOf(bucket["results"] ?? bucket["result"], report.where)) yield { day, row }
  }
}

function toQuery({ now, options }: Reading, range: DayRange): Query {
  return {
    start_time: startOf(range.since) / 1000,
    end_time: Math.ceil(endOf(range, now) / 1000),
    bucket_width: "1d",
    project_ids: options.projects,
  }
}

function isLimitedToKeys({ options }: Reading): boolean {
  return (options.keys?.length ?? 0) > 0
}
