import { describe, expect, test } from "vitest"
import { brief, csv, readText } from "./_read.ts"

describe("openai", () => {
  const COSTS =
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,user_id,api_key_id,project_id,organization_id,project_name,organization_name,user_email,api_source"
  const PERIOD = "1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00"

  test("a cost export: line items are split into model, tier and bucket; days without costs have no line", async () => {
    const bill = await readText(
      csv(
        COSTS,
        "1793404800,1793491200,2026-10-31T00:00:00+00:00,2026-11-01T00:00:00+00:00,,,,,,,,,,,,,",
        `${PERIOD},0.003835980000000000000000000000,usd,,,"gpt-5.5-2026-04-23, cached input",,key_a,proj_1,org-x,Evals,X,,`,
        `${PERIOD},1.5,usd,,,web search tool calls,,key_a,proj_1,org-x,Evals,X,,`,
      ),
      { provider: "openai" },
    )
    expect(bill).toMatchObject({ provider: "openai", account: "org-x", source: "import" })
    expect([bill.since, bill.until]).toEqual(["2026-11-01", "2026-11-02"])
    const same = { day: "2026-11-01", key: "key_a", project: "proj_1" }
    expect(brief(bill)).toEqual([
      {
        ...same,
        model: "gpt-5.5-2026-04-23",
        bucket: "cache_read",
        cost: "0.00383598",
        item: "gpt-5.5-2026-04-23, cached input",
      },
      { ...same, bucket: "tool", cost: "1.5", item: "web search tool calls" },
    ])
  })

  test("an activity export: tokens are split into buckets that do not overlap, and one line has the requests", async () => {
    const bill = await readText(
      csv(
        "start_time,end_time,start_time_iso,end_time_iso,input_tokens,output_tokens,num_model_requests,project_id,api_key_id,model,batch,service_tier,input_cached_tokens,input_audio_tokens",
        `${PERIOD},1000,200,5,proj_1,key_a,gpt-5.5,false,default,400,100`,
        `${PERIOD},10,0,1,proj_1,key_a,gpt-5.5,true,,0,0`,
      ),
      { provider: "openai" },
    )
    const counts = bill.lines.map(({ tier, bucket, quantity, requests }) => [tier, bucket, quantity, requests])
    expect(counts).toEqual([
      ["batch", "input", "10", 1],
      ["standard", "audio_input", "100", 5],
      ["standard", "cache_read", "400", undefined],
      ["standard", "input", "500", undefined],
      ["standard", "output", "200", undefined],
    ])
  })
})

describe("anthropic", () => {
  test("a cost export: names of models become ids, kinds of tokens buckets, and rounding to cents is noted", async () => {
    const bill = await readText(
      csv(
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo,speed,api_key_id,api_key_status",
        "2026-11-01,Claude Opus 4.6,Default,Bot,message,≤ 200k,input_no_cache,1.50,1.60,token,global,,apikey_1,active",
        "2026-11-01,Claude 3.5 Sonnet 2024-10-22,Default,Bot,batch,≤ 200k,input_cache_write_1h,0.02,0.02,token,global,,apikey_1,active",
        "2026-11-01,,Default,Bot,message,,,0.10,0.10,web_search,global,,apikey_1,active",
      ),
      { provider: "anthropic" },
    )
    expect(bill.lines.map(({ model, tier, bucket, cost, listCost }) => [model, tier, bucket, cost, listCost])).toEqual([
      ["claude-3-5-sonnet-20241022", "batch", "cache_write_1h", "0.02", "0.02"],
      ["claude-opus-4-6", "standard", "input", "1.5", "1.6"],
      [undefined, "standard", "tool", "0.1", "0.1"],
    ])
    expect(bill.lines[0]).toMatchObject({ key: "apikey_1", project: "Default" })
    expect(bill.notes.join(" ")).toContain("rounds each cost of its export to cents")
  })

  test("a usage export: the five kinds of tokens and the searches", async () => {
    const bill = await readText(
      csv(
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed",
        "2026-11-01,claude-sonnet-4-20250514,Bot,Default,standard,≤ 200k,100,20,7,3000,50,2,not_available,",
      ),
      { provider: "anthropic" },
    )
    expect(Object.fromEntries(bill.lines.map(({ bucket, quantity }) => [bucket, quantity]))).toEqual({
      input: "100",
      cache_write: "20",
      cache_write_1h: "7",
      cache_read: "3000",
      output: "50",
      tool: "2",
    })
    expect(new Set(bill.lines.map(({ model }) => model))).toEqual(new Set(["claude-sonnet-4-20250514"]))
  })
})

describe("google", () => {
  test("the export of BigQuery: times are UTC, and credits are lines of their own, also in rows that continue", async () => {
    const bill = await readText(
      csv(
        "billing_account_id,service.description,sku.description,usage_start_time,usage_end_time,project.id,cost,currency,usage.amount,usage.unit,credits.name,credits.amount,cost_type,cost_at_list",
        "AAA,Vertex AI,Gemini 2.5 Flash GA Text Input - Predictions,2026-11-01 23:00:00 UTC,2026-11-02 00:00:00 UTC,p1,3e-06,USD,10,requests,Promotion,-1e-06,regular,4e-06",
        ",,,,,,,,,,Commitment,-0.0000005,,",
        "AAA,Vertex AI,Claude Sonnet 4.5 - Cache Read Input Tokens,2026-11-01 07:00:00 UTC,2026-11-01 08:00:00 UTC,p1,0.3,USD,1000000,count,,,regular,",
        "AAA,Invoice,Tax,2026-11-01 07:00:00 UTC,2026-11-01 08:00:00 UTC,,3,USD,0,,,,tax,",
        "AAA,Cloud Run,CPU,2026-11-01 07:00:00 UTC,2026-11-01 08:00:00 UTC,p1,3,USD,10,seconds,,,regular,3",
      ),
      { provider: "vertex" },
    )
    const same = { day: "2026-11-01", project: "p1" }
    expect(brief(bill)).toEqual([
      {
        ...same,
        model: "claude-sonnet-4-5",
        tier: "standard",
        bucket: "cache_read",
        quantity: "1000000",
        cost: "0.3",
        item: "Claude Sonnet 4.5 - Cache Read Input Tokens",
      },
      {
        ...same,
        model: "gemini-2.5-flash",
        tier: "standard",
        bucket: "input",
        quantity: "10",
        cost: "0.000003",
        listCost: "0.000004",
        item: "Gemini 2.5 Flash GA Text Input - Predictions",
      },
      { ...same, bucket: "credit", cost: "-0.0000005", item: "Commitment" },
      { ...same, bucket: "credit", cost: "-0.000001", item: "Promotion" },
    ])
    expect(bill.notes).toContain("Left out 2 rows about other services: Invoice, Cloud Run.")
  })

  test("the export of BigQuery: a list of credits in JSON is read without floats", async () => {
    const bill = await readText(
      csv(
        "service_description,sku_description,usage_start_time,cost,currency,credits",
        'Gemini API,Grounding with Google Search,2026-11-01 07:00:00 UTC,1,USD,"[{""name"":""Promo"",""full_name"":""Promo"",""amount"":-0.100000000000000001},{""name"":""Promo"",""amount"":-0.2}]"',
      ),
      { provider: "gemini" },
    )
    expect(bill.lines.map(({ bucket, cost }) => [bucket, cost])).toEqual([
      ["credit", "-0.300000000000000001"],
      ["tool", "1"],
    ])
  })

  test("the cost table of the console: its preamble names the currency, and its totals are not counted", async () => {
    const table = (currency: string) =>
      csv(
        "Invoice number,1234567890,",
        `Currency,${currency},`,
        "Total amount due,$5.72,",
        "Billing account name,Billing account ID,Project name,Project ID,Project hierarchy,Service description,Service ID,SKU description,SKU ID,Consumption model description,Credit type,Cost type,Usage start date,Usage end date,Usage amount,Usage unit,Unrounded Cost ($),Cost ($)",
        'n,0A,P,p1,,Gemini API,s,Generate content output token count gemini 3 flash text flex,k,Default,,Usage,2026-11-01,2026-11-01,"1,234",count,0.123456,0.12',
        'n,0A,P,p1,,Gemini API,s,Generate content output token count gemini 3 flash text flex,k,Default,Promotion,Usage,2026-11-01,2026-11-01,"1,234",count,-0.1,-0.10',
        "n,0A,,,,,,,,,,Total,,,,,5.72,5.72",
      )
    const bill = await readText(table("USD"), { provider: "gemini" })
    expect(bill.account).toBe("0A")
    expect(bill.lines.map(({ model, tier, bucket, quantity, cost }) => [model, tier, bucket, quantity, cost])).toEqual([
      ["gemini-3-flash", "flex", "output", "1234", "0.123456"],
      [undefined, undefined, "credit", undefined, "-0.1"],
    ])
    expect(bill.notes.join(" ")).toContain("days in Pacific time")
    await expect(readText(table("AUD"), { provider: "gemini" })).rejects.toThrow("are in AUD")
  })

  test("a report of the console, grouped by day and SKU", async () => {
    const bill = await readText(
      csv(
        "Date,Service description,Service ID,SKU description,SKU ID,Usage amount,Usage unit,List cost ($),Negotiated savings ($),Savings programmes ($),Other savings ($),Unrounded subtotal ($),Subtotal ($)",
        '2026-11-04,Gemini API,AEFD,Generate content input token count gemini 3.1 flash lite preview text,2156,"1,234,567",count,1.25,0,0,0,1.2345,1.23',
        ",,,,,,,,,,Total,1.2345,1.23",
      ),
      { provider: "gemini" },
    )
    expect(bill.lines).toMatchObject([
      {
        model: "gemini-3.1-flash-lite-preview",
        bucket: "input",
        quantity: "1234567",
        listCost: "1.25",
        cost: "1.2345",
      },
    ])
  })

  test("a row about a whole month is an error that says how to export", async () => {
    const text = csv(
      "Service description,SKU description,Usage start date,Usage end date,Cost ($)",
      "Gemini API,x,2026-11-01,2026-11-30,5",
    )
    await expect(readText(text, { provider: "gemini" })).rejects.toThrow(
      "Line 2: the row is about the time from 2026-11-01 to 2026-11-30. A bill is compared day by day. Export it with one row per day.",
    )
  })
})
