import { describe, expect, test } from "vitest"
import type { Bucket, RecordedLine } from "../../../src/core/reconciliation.ts"
import { compareBills } from "../../../src/reconcile/compare/index.ts"
import { csv, NOW, readText } from "./_read.ts"

/** What the gateway recorded of one bucket of a model: the tokens and the cost. */
type Recorded = readonly [model: string, bucket: Bucket, quantity: string, rate: string, cost: string]

async function compare(provider: string, text: string, recorded: readonly Recorded[]) {
  const bill = await readText(text, { provider })
  const group = { day: "2026-11-01", began: "2026-11-01", tier: undefined, credential: "app", kind: "metered" as const }
  const lines = recorded.map(([model, bucket, quantity, rate, cost]): RecordedLine => {
    const price = { per: "million" as const, discount: "1", source: undefined, date: undefined }
    return { ...group, model, bucket, quantity, rate, cost, ...price }
  })
  const side = { provider, lines, requests: [] }
  return compareBills(bill, side, { settledBefore: new Date(NOW), keys: new Map() })
}

describe("an export and the rows of the same requests do not differ:", () => {
  test("the Cost and Usage Report of AWS, whose usage types name models in another way than Bedrock's ids", async () => {
    const columns =
      "lineItem/UsageStartDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,lineItem/UnblendedCost,lineItem/LineItemType"
    const row = (type: string, thousands: string, cost: string) =>
      `2026-11-01T00:00:00Z,AmazonBedrock,${type},${thousands},${cost},Usage`
    const { billed, recorded, causes } = await compare(
      "bedrock",
      csv(
        columns,
        row("USE1-Claude4.5Sonnet-input-tokens", "1000", "3"),
        row("USE1-Claude4.5Sonnet-cache-read-input-token-count", "2000", "0.6"),
        row("USE1-Nova2.0Lite-output-tokens", "1000", "2.5"),
        row("USE1-Claude3.5Haiku-input-tokens", "1000", "0.8"),
      ),
      [
        ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "input", "400000", "3", "1.2"],
        ["anthropic.claude-sonnet-4-5-20250929-v1:0", "input", "600000", "3", "1.8"],
        ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "cache_read", "2000000", "0.3", "0.6"],
        ["amazon.nova-2-lite-v1:0", "output", "1000000", "2.5", "2.5"],
        ["anthropic.claude-3-5-haiku-20241022-v1:0", "input", "1000000", "0.8", "0.8"],
      ],
    )
    expect({ billed, recorded, causes }).toEqual({ billed: "6.9", recorded: "6.9", causes: [] })
  })

  test("the export of Google's BigQuery", async () => {
    const { causes } = await compare(
      "vertex",
      csv(
        "service.description,sku.description,usage_start_time,cost,currency,usage.amount",
        "Vertex AI,Gemini 2.5 Flash GA Text Input - Predictions,2026-11-01 23:00:00 UTC,0.3,USD,1000000",
        "Vertex AI,Gemini 2.5 Flash GA Text Output - Predictions,2026-11-01 23:00:00 UTC,2.5,USD,1000000",
      ),
      [
        ["gemini-2.5-flash", "input", "1000000", "0.3", "0.3"],
        ["gemini-2.5-flash", "output", "1000000", "2.5", "2.5"],
      ],
    )
    expect(causes).toEqual([])
  })

  test("the export of Azure", async () => {
    const { causes } = await compare(
      "azure",
      csv(
        "Date,MeterCategory,MeterSubCategory,MeterName,Quantity,UnitOfMeasure,CostInUsd",
        "11/01/2026,Foundry Models,Azure OpenAI,gpt 4o 1120 Inp glbl Tokens,1000,1K,2.5",
        "11/01/2026,Foundry Models,Azure OpenAI GPT5,5.4 opt Gl 1M Tokens,1,1M,15",
      ),
      [
        ["gpt-4o-2024-11-20", "input", "1000000", "2.5", "2.5"],
        ["gpt-5.4-2026-03-05", "output", "1000000", "15", "15"],
      ],
    )
    expect(causes).toEqual([])
  })

  test("costs of Anthropic's console, which are rounded to cents, explain themselves within a cent", async () => {
    const { causes } = await compare(
      "anthropic",
      csv(
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo,speed",
        "2026-11-01,Claude Sonnet 4.5,Default,Bot,message,≤ 200k,input_no_cache,3.00,3.00,token,global,",
        "2026-11-01,Claude Sonnet 4.5,Default,Bot,message,≤ 200k,output,1.50,1.50,token,global,",
      ),
      [
        ["claude-sonnet-4-5-20250929", "input", "1001000", "3", "3.003"],
        ["claude-sonnet-4-5-20250929", "output", "100100", "15", "1.5015"],
      ],
    )
    expect(causes.map(({ cause, amount }) => [cause, amount])).toEqual([["unexplained", "-0.0045"]])
  })
})
