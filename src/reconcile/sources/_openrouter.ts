import { formatDecimal } from "../../core/decimal.ts"
import type { BillLine } from "../../core/reconciliation.ts"
import { LineTable } from "../line-table.ts"
import type { Endpoint } from "./_client.ts"
import { addDays, dayAt, earlier, isWithin, later } from "./_days.ts"
import { countOf, dayOf, decimalOf, type JsonRecord, recordsOf, textOf, unexpected } from "./_json.ts"
import type { DayRange, Reading } from "./_source.ts"
import { SourceError } from "./source-error.ts"

export const OPENROUTER: Endpoint = {
  baseUrl: "https://openrouter.ai",
  versionPath: "/api/v1",
  headers: (credential) => ({ authorization: `Bearer ${credential}` }),
  accountHeader: undefined,
  words: {
    name: "OpenRouter",
    setting: "reconcile.openrouter.provisioning_key (or OPENROUTER_PROVISIONING_KEY)",
    keyKind: "provisioning key",
    keyPrefix: undefined,
    modelKeyPrefix: undefined,
    createAt: "https://openrouter.ai/settings/provisioning-keys",
    right: "It needs to be a provisioning key (also called management key); a key for models cannot read the activity.",
  },
}

/** OpenRouter reports the last completed UTC days, and no others. */
const REPORTED_DAYS = 30

/**
 * Reads the activity. It does not split costs, nor input into cached and uncached, so each line is of the bucket `all`.
 * What was paid to other providers with keys of one's own is not part of OpenRouter's bill.
 */
export async function readOpenRouter(
  reading: Reading,
): Promise<{ readonly source: "api"; readonly lines: BillLine[]; readonly range: DayRange }> {
  const range = toReportedRange(reading)
  const table = new LineTable()
  for (const key of reading.options.keys?.length ? reading.options.keys : [undefined]) {
    await readActivity(reading, { range, key, table })
  }
  await readCredits(reading)
  return { source: "api", lines: table.toLines(), range }
}

async function readActivity(
  { get, report }: Reading,
  { range, key, table }: { readonly range: DayRange; readonly key: string | undefined; readonly table: LineTable },
): Promise<void> {
  const where = "OpenRouter's activity"
  report(key === undefined ? where : `${where} of one key`)
  const { body } = await get("/api/v1/activity", { api_key_hash: key })
  for (const row of recordsOf(body["data"], where)) {
    const day = dayOf(row["date"], where)
    if (!isWithin(day, range)) continue
    const cost = decimalOf(row, "usage", where)
    if (cost === undefined) throw unexpected(where, `"usage" is missing`)
    const group = { day, model: textOf(row["model"]), tier: undefined, key, project: undefined }
    const quantity = countOf(row, "prompt_tokens", where) + countOf(row, "completion_tokens", where)
    table.add({ ...group, bucket: "all", item: undefined }, { quantity, cost })
    table.addRequests(group, countOf(row, "requests", where))
  }
}

/** Notes what the account has used of its credits, if the key may read it: the activity has no fees for buying credits. */
async function readCredits({ get, report, note }: Reading): Promise<void> {
  const where = "OpenRouter's credits"
  report(where)
  try {
    const { body } = await get("/api/v1/credits", {})
    const data = (body["data"] ?? {}) as JsonRecord
    const [bought, used] = [decimalOf(data, "total_credits", where), decimalOf(data, "total_usage", where)]
    if (bought === undefined || used === undefined) throw unexpected(where, "its amounts are missing")
    const amounts = `$${formatDecimal(used)} of $${formatDecimal(bought)}`
    note(`The account has used ${amounts} of credits in its life. Fees for buying credits are not in the activity.`)
  } catch (error) {
    if (!(error instanceof SourceError)) throw error
    note(`What the account has used of its credits is not known: ${error.message}`)
  }
}

/** Returns the days of the range that OpenRouter reports, and notes the others. */
function toReportedRange({ range, now, note }: Reading): DayRange {
  const today = dayAt(now)
  const first = addDays(today, -REPORTED_DAYS)
  const since = later(range.since, first)
  const until = earlier(range.until, today)
  if (since >= until) {
    const what = `OpenRouter reports only the last ${REPORTED_DAYS} completed UTC days, from ${first} to ${addDays(today, -1)}`
    throw new SourceError("unavailable", `${what}. Choose days among them, or import its CSV export of the activity.`)
  }
  if (since !== range.since || until !== range.until) {
    note(
      `OpenRouter reports only completed UTC days of the last ${REPORTED_DAYS}, so this bill is of the days from ${since} to ${addDays(until, -1)}.`,
    )
  }
  return { since, until }
}
