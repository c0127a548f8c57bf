import { describe, expect, test } from "vitest"
import { readUsageType } from "../../../src/reconcile/import/formats/_aws-usage-type.ts"
import { readMeter } from "../../../src/reconcile/import/formats/_azure-meter.ts"
import { readSku } from "../../../src/reconcile/import/formats/_google-sku.ts"
import { brief, csv, readText } from "./_read.ts"

describe("aws", () => {
  const ROWS = [
    [
      "Usage",
      "2026-11-02T00:00:00Z",
      "AmazonBedrock",
      "USW2-Claude4.5Sonnet-input-tokens",
      "29.481",
      "0.0972873",
      "x",
      "Amazon Bedrock",
      "1K tokens",
      "0.1",
    ],
    [
      "Usage",
      "2026-11-02T00:00:00Z",
      "abc123",
      "USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units",
      "0.25",
      "1",
      "AWS Marketplace software usage",
      "Claude Sonnet 4 (Amazon Bedrock Edition)",
      "Units",
      "",
    ],
    ["Usage", "2026-11-02T00:00:00Z", "AmazonEC2", "BoxUsage", "1", "5", "x", "Amazon EC2", "Hrs", "5"],
    ["Tax", "2026-12-01T00:00:00Z", "AmazonBedrock", "", "1", "0.5", "Tax for AmazonBedrock", "Amazon Bedrock", "", ""],
    [
      "Credit",
      "2026-12-01T00:00:00Z",
      "AmazonBedrock",
      "USE1-x",
      "0",
      "-0.25",
      "AWS Activate",
      "Amazon Bedrock",
      "",
      "",
    ],
  ]
  const NAMES = [
    "LineItemType",
    "UsageEndDate",
    "ProductCode",
    "UsageType",
    "UsageAmount",
    "UnblendedCost",
    "LineItemDescription",
  ]
  const BEFORE = ["111", "222", "2026-11-01T00:00:00Z", "USD"]
  const EXPECTED = [
    {
      day: "2026-11-01",
      project: "222",
      model: "claude-sonnet-4",
      tier: "standard",
      bucket: "cache_write_1h",
      quantity: "250000",
      cost: "1",
      item: "USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units",
    },
    {
      day: "2026-11-01",
      project: "222",
      model: "claude-sonnet-4-5",
      tier: "standard",
      bucket: "input",
      quantity: "29481",
      cost: "0.0972873",
      listCost: "0.1",
      item: "USW2-Claude4.5Sonnet-input-tokens",
    },
    { day: "2026-11-01", project: "222", bucket: "credit", cost: "-0.25", item: "AWS Activate" },
    { day: "2026-11-01", project: "222", bucket: "tax", cost: "0.5", item: "Tax for AmazonBedrock" },
  ]

  test("both versions of the Cost and Usage Report give the same lines; taxes and credits count on their first day", async () => {
    const legacy = [
      ...["bill/PayerAccountId", "lineItem/UsageAccountId", "lineItem/UsageStartDate", "lineItem/CurrencyCode"],
      ...NAMES.map((name) => `lineItem/${name}`),
      ...["product/ProductName", "pricing/unit", "pricing/publicOnDemandCost"],
    ]
    const two = [
      ...[
        "bill_payer_account_id",
        "line_item_usage_account_id",
        "line_item_usage_start_date",
        "line_item_currency_code",
      ],
      ...NAMES.map((name) => `line_item${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`),
      ...["product", "pricing_unit", "pricing_public_on_demand_cost"],
    ]
    const rows = ROWS.map((row) => [...BEFORE, ...row].join(","))
    const rowsOfTwo = ROWS.map((row) => {
      const cells = [...BEFORE, ...row]
      cells[11] = `"{""product_name"":""${cells[11]}""}"`
      return cells.join(",")
    })
    for (const text of [csv(legacy.join(","), ...rows), csv(two.join(","), ...rowsOfTwo)]) {
      const bill = await readText(text, { provider: "bedrock" })
      expect(bill.account).toBe("111")
      expect(brief(bill)).toEqual(EXPECTED)
      expect(bill.notes).toContain("Left out 1 row about other services: AmazonEC2.")
    }
  })

  test.each([
    [
      "USE1-Claude4Sonnet-cache-read-input-token-count-cross-region-global",
      "claude-sonnet-4",
      "standard",
      "cache_read",
    ],
    ["Claude3.5Haiku-output-tokens", "claude-3-5-haiku", "standard", "output"],
    ["EU-Nova2.0Lite-output-tokens-batch", "nova-2-lite", "batch", "output"],
    ["APN1-NovaPro-cache-write-input-token-count", "nova-pro", "standard", "cache_write"],
    ["USE1-Llama3-3-70B-input-tokens-flex", "llama3-3-70b", "flex", "input"],
    ["USE1-MP:USE1_OutputTokenCount_Batch-Units", undefined, "batch", "output"],
    ["USE1-Guardrail-ContentPolicyUnitsConsumed", undefined, "standard", "other"],
  ])("the usage type %s is read", (usageType, model, tier, bucket) => {
    expect(readUsageType(usageType, undefined)).toMatchObject({ model, tier, bucket })
  })

  test("a file of the Cost Explorer: one column per service, and the totals are not counted", async () => {
    const bill = await readText(
      csv(
        '"Service","Bedrock($)","EC2-Instances($)","Claude Sonnet 4 (Amazon Bedrock Edition)($)","Total costs($)"',
        '"Service total","3.5","10","1","14.5"',
        '"2026-11-01","1.5","5","1","7.5"',
        '"2026-11-02","2","5","","7"',
      ),
      { provider: "bedrock" },
    )
    expect(brief(bill)).toEqual([
      {
        day: "2026-11-01",
        model: "claude-sonnet-4",
        bucket: "all",
        cost: "1",
        item: "Claude Sonnet 4 (Amazon Bedrock Edition)",
      },
      { day: "2026-11-01", bucket: "all", cost: "1.5", item: "Bedrock" },
      { day: "2026-11-02", bucket: "all", cost: "2", item: "Bedrock" },
    ])
    expect(bill.notes).toContain("Left out 1 column about other services: EC2-Instances.")
  })

  test("a file of the Cost Explorer by usage type has models and buckets", async () => {
    const bill = await readText(
      csv("Usage type,USE1-Claude4Sonnet-output-tokens($),BoxUsage($),Total costs($)", "2026-11-01,1.5,5,6.5"),
      { provider: "bedrock" },
    )
    expect(bill.lines).toMatchObject([{ model: "claude-sonnet-4", tier: "standard", bucket: "output", cost: "1.5" }])
  })
})

describe("azure", () => {
  test("a cost export: dollars are preferred to the billing currency, and units become tokens", async () => {
    const bill = await readText(
      csv(
        "Date,MeterCategory,MeterSubCategory,MeterName,SubscriptionId,CostInBillingCurrency,BillingCurrencyCode,Quantity,UnitOfMeasure,ChargeType,costInUsd",
        "11/03/2026,Foundry Models,Azure OpenAI,gpt 4o 1120 cached Inp glbl Tokens,s1,1.1,EUR,12.5,1K,Usage,1.2",
        "11/03/2026,Foundry Models,Azure OpenAI GPT5,5.4 opt Dz 1M Tokens,s1,1.1,EUR,2,1M,Usage,1.3",
        "11/03/2026,Foundry Models,Azure OpenAI,x,s1,-1,EUR,1,1M,Refund,-1.1",
        "11/03/2026,Storage,Files,Premium,s1,1.1,EUR,12.5,1 GB,Usage,1.2",
      ),
      { provider: "azure" },
    )
    expect(bill.lines.map(({ day, model, bucket, quantity, cost }) => [day, model, bucket, quantity, cost])).toEqual([
      ["2026-11-03", "gpt-4o-2024-11-20", "cache_read", "12500", "1.2"],
      ["2026-11-03", "gpt-5.4", "output", "2000000", "1.3"],
      ["2026-11-03", undefined, "credit", undefined, "-1.1"],
    ])
    expect(bill.notes).toContain("Left out 1 row about other services: Storage.")
  })

  test.each([
    ["GPT 5 Inpt Glbl 1M Tokens", "Azure OpenAI GPT5", "gpt-5", "standard", "input"],
    ["gpt-4o-mini-0718-Outp-regnl Tokens", "Azure OpenAI", "gpt-4o-mini-2024-07-18", "standard", "output"],
    ["o4-mini 0416 Batch Outp glbl Tokens", "Azure OpenAI Reasoning", "o4-mini-2025-04-16", "batch", "output"],
    ["gpt-oss-120B Inp glbl Tokens", "Azure OpenAI OSS Models", "gpt-oss-120b", "standard", "input"],
    ["text-embedding-3-large-glbl Tokens", "Azure OpenAI", "text-embedding-3-large", "standard", "input"],
    ["V4 Pro Outp DZ Tokens", "Azure Deepseek Models", "deepseek-v4-pro", "standard", "output"],
    ["Grok 4.1 cached Inp Glbl Tokens", "Azure Grok Models", "grok-4.1", "standard", "cache_read"],
    ["5.5 ShortCo inp Gl 1M Tokens", "Azure OpenAI GPT5", "gpt-5.5", "standard", "input"],
  ])("the meter %s is read", (meter, subcategory, model, tier, bucket) => {
    expect(readMeter(meter, subcategory)).toEqual({ model, tier, bucket })
  })
})

describe("google", () => {
  test.each([
    ["Gemini 2.5 Flash GA Thinking Text Output - Predictions", "gemini-2.5-flash", "standard", "output"],
    ["Gemini 2.5 Flash GA Text Output (Thinking On) - Predictions", "gemini-2.5-flash", "standard", "output"],
    ["Gemini 2.5 Flash Lite Text Input - Predictions", "gemini-2.5-flash-lite", "standard", "input"],
    ["Gemini 3.0 Pro Image Input Caching", "gemini-3-pro", "standard", "cache_read"],
    ["Gemini 2.5 Flash Image Input", "gemini-2.5-flash", "standard", "image_input"],
    ["Gemini 2.5 Flash Image Image Output - Predictions", "gemini-2.5-flash-image", "standard", "image_output"],
    ["Generate content output token count gemini 2.5 flash short input text", "gemini-2.5-flash", "standard", "output"],
    [
      "Generate content cached input token count gemini 2.5 flash input image",
      "gemini-2.5-flash",
      "standard",
      "cache_read",
    ],
    ["Generate content input token count gemini 3.7 flash text batch", "gemini-3.7-flash", "batch", "input"],
    ["Gemini 2.5 Flash Live Audio Input - Predictions", "gemini-2.5-flash-live", "standard", "audio_input"],
    ["Gemini 2.5 Pro Caching Storage", "gemini-2.5-pro", "standard", "storage"],
    ["Grounding with Google Search", undefined, undefined, "tool"],
  ])("the SKU %s is read", (sku, model, tier, bucket) => {
    expect(readSku(sku)).toEqual({ model, tier, bucket })
  })
})
