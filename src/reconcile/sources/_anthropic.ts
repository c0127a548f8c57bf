import { type Decimal, divide, fromNumber } from "../../core/decimal.ts"
import type { BillLine, Bucket } from "../../core/reconciliation.ts"
import { createTable } from "../../core/table.ts"
import type { LineGroup, LineTable } from "../line-table.ts"
import type { Endpoint } from "./_client.ts"
import { countOf, decimalOf, type JsonRecord, textOf, unexpected } from "./_json.ts"

export const ANTHROPIC: Endpoint = {
  baseUrl: "https://api.anthropic.com",
  versionPath: "/v1",
  headers: (credential, path) => ({
    "x-api-key": credential,
    "anthropic-version": "2023-06-01",
    ...(path.includes("/analytics/") && { "anthropic-beta": "analytics-usage-cost-2026-08-24" }),
  }),
  accountHeader: "anthropic-organization-id",
  words: {
    name: "Anthropic",
    setting: "reconcile.anthropic.admin_key (or ANTHROPIC_ADMIN_KEY)",
    keyKind: "admin key",
    keyPrefix: "sk-ant-admin",
    modelKeyPrefix: "sk-ant-api",
    createAt: "https://platform.claude.com/settings/admin-keys",
    right:
      "It needs to be an admin key, or an API key with the scope read:analytics; an admin of the organization creates them.",
  },
}

const HUNDRED = fromNumber(100)

const TOKEN_BUCKETS: Readonly<Record<string, Bucket>> = createTable({
  uncached_input_tokens: "input",
  cache_read_input_tokens: "cache_read",
  "cache_creation.ephemeral_5m_input_tokens": "cache_write",
  "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
  output_tokens: "output",
})

/** The costs of these kinds are billed outside of tokens. */
const COST_BUCKETS: Readonly<Record<string, Bucket>> = createTable({
  web_search: "tool",
  code_execution: "session",
  session_usage: "session",
})

/** Returns what a row is about. The newer reports have these members in `group`, the older ones in the row. */
export function toGroup(day: string, group: JsonRecord): LineGroup {
  return {
    day,
    model: textOf(group["model"]),
    tier: textOf(group["service_tier"])?.toLowerCase(),
    key: textOf(group["api_key_id"]),
    project: textOf(group["workspace_id"]),
  }
}

/** Adds the counts of one row of usage. */
export function addUsage(table: LineTable, group: LineGroup, usage: JsonRecord, where: string): void {
  const written = (usage["cache_creation"] ?? {}) as JsonRecord
  const tools = (usage["server_tool_use"] ?? {}) as JsonRecord
  const counts: readonly (readonly [Bucket, Decimal])[] = [
    ["input", countOf(usage, "uncached_input_tokens", where)],
    ["cache_read", countOf(usage, "cache_read_input_tokens", where)],
    ["cache_write", countOf(written, "ephemeral_5m_input_tokens", where)],
    ["cache_write_1h", countOf(written, "ephemeral_1h_input_tokens", where)],
    ["output", countOf(usage, "output_tokens", where)],
    ["tool", countOf(tools, "web_search_requests", where)],
  ]
  for (const [bucket, quantity] of counts) {
    if (quantity > 0n) table.add({ ...group, bucket, item: itemOf(bucket) }, { quantity })
  }
  const requests = decimalOf(usage, "requests", where)
  if (requests !== undefined) table.addRequests(group, requests)
}

/** Adds one row of costs. Its amounts are in cents. */
export function addCost(
  table: LineTable,
  group: LineGroup,
  row: { readonly kinds: JsonRecord; readonly amounts: JsonRecord },
  where: string,
): void {
  const { kinds, amounts } = row
  const currency = textOf(amounts["currency"]) ?? "USD"
  if (currency.toUpperCase() !== "USD") throw unexpected(where, `its amounts are in ${currency}, not in USD`)
  const amount = decimalOf(amounts, "amount", where)
  const listAmount = decimalOf(amounts, "list_amount", where)
  if (amount === undefined) throw unexpected(where, `"amount" is missing`)
  const { bucket, item } = toKind(kinds)
  const listCost = listAmount === undefined ? undefined : divide(listAmount, HUNDRED)
  table.add({ ...group, bucket, item }, { cost: divide(amount, HUNDRED), listCost })
}

function toKind(kinds: JsonRecord): Pick<BillLine, "bucket" | "item"> {
  const tokenType = textOf(kinds["token_type"])
  const costType = textOf(kinds["cost_type"])
  if (tokenType !== undefined) {
    const bucket = TOKEN_BUCKETS[tokenType] ?? "other"
    return { bucket, item: bucket === "other" ? tokenType : undefined }
  }
  if (costType === undefined || costType === "tokens") return { bucket: "all", item: textOf(kinds["description"]) }
  return { bucket: COST_BUCKETS[costType] ?? "other", item: costType.replaceAll("_", " ") }
}

/** Usage and costs of one bucket have the same item, so that they are one line. */
function itemOf(bucket: Bucket): string | undefined {
  return bucket === "tool" ? "web search" : undefined
}
