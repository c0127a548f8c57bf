import { expect, test } from "vitest"
import { verifyLedger } from "../../src/database/verify.ts"
import { describePostgresFirst } from "../support/databases.ts"
import {
  type Answer,
  CREATOR,
  FETCHER,
  readRows,
  readSums,
  sendJson,
  startJobGateway,
  startProvider,
} from "../support/jobs.ts"

const KEY = { "x-goog-api-key": "k" }
const USAGE = { promptTokenCount: 1000, candidatesTokenCount: 500, totalTokenCount: 1500 }
/** Half of 1,000 x 0.30 + 500 x 2.50 USD per million. */
const COST_OF_ITEM = "0.000775"

function anAnswer(text = "x") {
  const candidates = [{ content: { role: "model", parts: [{ text }] }, finishReason: "STOP" }]
  return { candidates, usageMetadata: USAGE, modelVersion: "gemini-2.5-flash" }
}

function aBatch(state: string, output?: Record<string, unknown>) {
  const metadata = { "@type": "GenerateContentBatch", model: "models/gemini-2.5-flash", name: "batches/abc", state }
  return { name: "batches/abc", metadata, ...(output && { done: true, response: output }) }
}

/** Answers the creation of a batch with one that waits, and everything else with one that has ended. */
function ending(output: Record<string, unknown>): Answer {
  return (request, response) =>
    sendJson(
      response,
      request.method === "POST" ? aBatch("BATCH_STATE_PENDING") : aBatch("BATCH_STATE_SUCCEEDED", output),
    )
}

async function createBatch(gateway: Awaited<ReturnType<typeof startJobGateway>>): Promise<void> {
  const headers = { ...KEY, "x-majordomo-user-id": "u-1" }
  await gateway.send("POST", "/v1beta/models/gemini-2.5-flash:batchGenerateContent", { body: { batch: {} }, headers })
}

describePostgresFirst("a batch of Gemini's", (open) => {
  test("bills each of its inlined results once, to the key and metadata of the request that created it", async () => {
    const database = await open()
    const failed = { error: { code: 3, message: "bad" } }
    const results = [{ response: anAnswer() }, failed, { response: anAnswer() }]
    const inlined = { inlinedResponses: { inlinedResponses: results } }
    const batch = ending(inlined)
    const gateway = await startJobGateway({ database, provider: await startProvider(batch) })
    await createBatch(gateway)
    for (let fetches = 0; fetches < 3; fetches++) {
      await Promise.all([1, 2].map(() => gateway.send("GET", "/v1beta/batches/abc", { client: FETCHER, headers: KEY })))
      await gateway.settle()
    }
    const rows = await readRows(database)
    const billed = rows.filter(({ total_cost }) => total_cost !== "0")
    expect(billed).toHaveLength(2)
    for (const row of billed) {
      expect(row).toMatchObject({
        total_cost: COST_OF_ITEM,
        cost_status: "exact",
        majordomo_api_key_id: CREATOR.id,
        raw_metadata: { "User-Id": "u-1" },
        model: "gemini-2.5-flash",
        tier: "batch",
      })
    }
    for (const row of rows.filter((each) => !billed.includes(each))) expect(row).toMatchObject({ cost_status: "free" })
    expect(await readSums(database)).toEqual({ rows: "0.00155", rollups: "0.00155" })
    const { rows: jobs } = await database.query(
      "SELECT id, state, billed_items::int, settled_at IS NOT NULL AS settled FROM llm_jobs",
    )
    expect(jobs).toEqual([{ id: "batches/abc", state: "done", billed_items: 2, settled: true }])
    expect(await verifyLedger(database, gateway.journals)).toMatchObject({ waiting: 0, lost: 0, differences: [] })
  })

  test("bills all results of an answer that is too large to be parsed", async () => {
    const database = await open()
    const results = Array.from({ length: 700 }, () => ({ response: anAnswer("x".repeat(2000)) }))
    const provider = await startProvider(ending({ inlinedResponses: { inlinedResponses: results } }))
    const gateway = await startJobGateway({ database, provider })
    await createBatch(gateway)
    for (let fetches = 0; fetches < 2; fetches++) {
      await gateway.send("GET", "/v1beta/batches/abc", { headers: KEY })
      await gateway.settle()
    }
    expect(await readSums(database)).toEqual({ rows: "0.5425", rollups: "0.5425" })
  })

  test("bills embeddings, whose results state only the tokens of their text", async () => {
    const database = await open()
    const results = [{ response: { embedding: { values: [0.1] }, tokenCount: "2000" } }]
    const provider = await startProvider((request, response) => {
      const batch = aBatch(request.method === "POST" ? "BATCH_STATE_PENDING" : "BATCH_STATE_SUCCEEDED")
      const metadata = { ...batch.metadata, model: "models/gemini-embedding-001" }
      const output = { inlinedEmbedContentResponses: { inlinedResponses: results } }
      sendJson(response, { ...batch, metadata: { ...metadata, ...(request.method === "GET" && { output }) } })
    })
    const gateway = await startJobGateway({ database, provider })
    const path = "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent"
    await gateway.send("POST", path, { body: { batch: {} }, headers: KEY })
    await gateway.send("GET", "/v1beta/batches/abc", { headers: KEY })
    await gateway.send("GET", "/v1beta/batches/abc", { headers: KEY })
    await gateway.settle()
    // 2,000 x 0.15 USD per million, by half.
    expect((await readSums(database)).rows).toBe("0.00015")
  })

  test("bills the lines of its result file once, however often the file is fetched", async () => {
    const database = await open()
    const line = (key: string) => `${JSON.stringify({ key, response: anAnswer() })}\n`
    const provider = await startProvider((request, response) => {
      if (request.url?.includes(":download")) {
        response.writeHead(200, { "content-type": "application/octet-stream" }).end(line("a") + line("b"))
      } else {
        const output = { responsesFile: "files/batch-abc" }
        sendJson(
          response,
          request.method === "POST" ? aBatch("BATCH_STATE_RUNNING") : aBatch("BATCH_STATE_SUCCEEDED", output),
        )
      }
    })
    const gateway = await startJobGateway({ database, provider })
    await createBatch(gateway)
    await gateway.send("GET", "/v1beta/batches/abc", { headers: KEY })
    const download = "/v1beta/files/batch-abc:download?alt=media"
    await Promise.all([1, 2, 3].map(() => gateway.send("GET", download, { client: FETCHER, headers: KEY })))
    await gateway.settle()
    await gateway.send("GET", `/download${download}`, { client: FETCHER, headers: KEY })
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: "0.00155", rollups: "0.00155" })
    const { rows: jobs } = await database.query(
      "SELECT billed_items::int, settled_at IS NOT NULL AS settled FROM llm_jobs",
    )
    expect(jobs).toEqual([{ billed_items: 2, settled: true }])
  })

  test("that no gateway created bills nothing", async () => {
    const database = await open()
    const provider = await startProvider(ending({ inlinedResponses: { inlinedResponses: [{ response: anAnswer() }] } }))
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("GET", "/v1beta/batches/abc", { headers: KEY })
    await gateway.settle()
    expect((await readSums(database)).rows).toBe("0")
  })
})

describePostgresFirst("an interaction in the background", (open) => {
  const AGENT = { agent: "deep-research-pro-preview-12-2025", input: "x", background: true }
  const COST = "0.32"
  const anInteraction = (status: string) => ({
    id: "v1_bg",
    object: "interaction",
    status,
    ...(status === "completed" && {
      model: "gemini-3-pro-preview",
      usage: { total_input_tokens: 100_000, total_output_tokens: 10_000, total_tokens: 110_000 },
    }),
  })

  test("is billed once, in the row of its creation", async () => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      sendJson(response, anInteraction(request.method === "POST" ? "in_progress" : "completed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1beta/interactions", { body: AGENT, headers: KEY })
    await gateway.settle()
    expect(await readRows(database)).toMatchObject([{ cost_status: "unpriced", total_cost: null }])
    for (let fetches = 0; fetches < 3; fetches++) {
      await gateway.send("GET", "/v1beta/interactions/v1_bg", { client: FETCHER, headers: KEY })
      await gateway.settle()
    }
    const rows = await readRows(database)
    expect(rows[0]).toMatchObject({
      request_method: "POST",
      majordomo_api_key_id: CREATOR.id,
      model: "gemini-3-pro-preview",
      total_cost: COST,
      cost_status: "exact",
    })
    expect(await readSums(database)).toEqual({ rows: COST, rollups: COST })
  })

  test("is billed once when a stream delivers it and others resume the stream", async () => {
    const database = await open()
    const event = (type: string, status: string) =>
      `event: ${type}\ndata: ${JSON.stringify({ event_type: type, interaction: anInteraction(status) })}\n\n`
    const provider = await startProvider((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.end(event("interaction.start", "in_progress") + event("interaction.complete", "completed"))
    })
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1beta/interactions", { body: { ...AGENT, stream: true }, headers: KEY })
    const resumed = "/v1beta/interactions/v1_bg?stream=true&last_event_id=1"
    for (let fetches = 0; fetches < 2; fetches++) await gateway.send("GET", resumed, { headers: KEY })
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: COST, rollups: COST })
  })

  test("that failed is free", async () => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      sendJson(response, anInteraction(request.method === "POST" ? "in_progress" : "failed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1beta/interactions", { body: AGENT, headers: KEY })
    await gateway.send("GET", "/v1beta/interactions/v1_bg", { headers: KEY })
    await gateway.settle()
    expect((await readRows(database))[0]).toMatchObject({ cost_status: "free", total_cost: "0" })
  })
})
