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

const CHAT_USAGE = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
const ITEM_COST = "0.000225"

function aLine(id: string, body: unknown): string {
  return `${JSON.stringify({ id, custom_id: `c-${id}`, response: { status_code: 200, request_id: "r", body }, error: null })}\n`
}

const chat = (id: string) =>
  aLine(id, {
    id: "c",
    object: "chat.completion",
    model: "gpt-4o-mini-2024-07-18",
    choices: [],
    usage: CHAT_USAGE,
    service_tier: "default",
  })
const RESULTS = chat("b0") + chat("b1") + chat("b2")

function aBatch(status: string) {
  const isDone = status === "completed"
  return {
    id: "batch_1",
    object: "batch",
    status,
    output_file_id: isDone ? "file-out" : null,
    error_file_id: isDone ? "file-errors" : null,
    request_counts: { total: 4, completed: isDone ? 3 : 0, failed: isDone ? 1 : 0 },
  }
}

const finishing: Answer = (request, response) => {
  if (!request.url!.includes("/files/"))
    return sendJson(response, aBatch(request.method === "POST" ? "validating" : "completed"))
  const file = Buffer.from(
    request.url!.includes("file-errors") ? '{"id":"b3","response":{"status_code":400,"body":{"error":{}}}}\n' : RESULTS,
  )
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "")
  const from = Number(range?.[1] ?? 0)
  const part = file.subarray(from, range?.[2] ? Number(range[2]) + 1 : file.length)
  response.writeHead(range ? 206 : 200, { "content-type": "application/octet-stream", "content-length": part.length })
  response.end(part)
}

async function readJob(database: Awaited<ReturnType<Parameters<Parameters<typeof describePostgresFirst>[1]>[0]>>) {
  const { rows } = await database.query(
    "SELECT state, expected_items::int AS expected, billed_items::int AS billed, settled_at IS NOT NULL AS settled FROM llm_jobs",
  )
  return rows
}

describePostgresFirst("the results of a batch", (open) => {
  test("are billed once per item, to the creator of the batch, however often they are downloaded", async () => {
    const database = await open()
    const gateway = await startJobGateway({ database, provider: await startProvider(finishing) })
    const headers = { "x-majordomo-team": "search" }
    await gateway.send("POST", "/v1/batches", {
      body: { input_file_id: "file-in", endpoint: "/v1/chat/completions" },
      headers,
    })
    await gateway.send("GET", "/v1/batches/batch_1")
    await Promise.all(
      Array.from({ length: 4 }, () => gateway.send("GET", "/v1/files/file-out/content", { client: FETCHER })),
    )
    await gateway.send("GET", "/v1/files/file-errors/content")
    await gateway.settle()
    const rows = await readRows(database)
    const items = rows.filter(({ tier }) => tier === "batch")
    expect(items).toHaveLength(3)
    for (const item of items) {
      expect(item).toMatchObject({
        majordomo_api_key_id: CREATOR.id,
        raw_metadata: { Team: "search" },
        request_path: "/v1/files/file-out/content",
        model: "gpt-4o-mini-2024-07-18",
        input_tokens: "1000",
        output_tokens: "500",
        total_cost: ITEM_COST,
        cost_status: "exact",
      })
    }
    for (const row of rows.filter(({ tier }) => tier === null)) {
      expect(row).toMatchObject({ cost_status: "free", total_cost: "0", input_tokens: "0" })
    }
    expect(rows).toHaveLength(3 + 7)
    expect(await readSums(database)).toEqual({ rows: "0.000675", rollups: "0.000675" })
    expect(await readJob(database)).toEqual([{ state: "done", expected: 3, billed: 3, settled: true }])
    const verified = await verifyLedger(database, gateway.journals)
    expect(verified).toMatchObject({ written: 10, waiting: 0, lost: 0, differences: [] })
  })

  test("that come in ranges are billed once for each whole line", async () => {
    const database = await open()
    const gateway = await startJobGateway({ database, provider: await startProvider(finishing) })
    await gateway.send("POST", "/v1/batches", { body: {} })
    await gateway.send("GET", "/v1/batches/batch_1")
    const line = chat("b0").length
    const fetchRange = (range: string) => gateway.send("GET", "/v1/files/file-out/content", { headers: { range } })
    await fetchRange(`bytes=0-${line + 40}`)
    await gateway.settle()
    expect(await readJob(database)).toEqual([{ state: "done", expected: 3, billed: 1, settled: false }])
    await fetchRange(`bytes=${line + 41}-${2 * line + 60}`)
    await gateway.settle()
    expect(await readJob(database)).toEqual([{ state: "done", expected: 3, billed: 1, settled: false }])
    await fetchRange(`bytes=${line + 10}-`)
    await fetchRange(`bytes=${line}-`)
    await gateway.settle()
    expect(await readJob(database)).toEqual([{ state: "done", expected: 3, billed: 3, settled: true }])
    expect(await readSums(database)).toEqual({ rows: "0.000675", rollups: "0.000675" })
  })

  test("are billed when the file becomes known as the result of a batch only later", async () => {
    const database = await open()
    const gateway = await startJobGateway({ database, provider: await startProvider(finishing) })
    await gateway.send("GET", "/v1/files/file-out/content", { client: FETCHER })
    await gateway.settle()
    expect((await readSums(database)).rows).toBe("0")
    await gateway.send("GET", "/v1/batches/batch_1")
    await gateway.settle()
    expect((await readSums(database)).rows).toBe("0")
    await gateway.send("POST", "/v1/batches", { body: {} })
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: "0.000675", rollups: "0.000675" })
    expect(await readJob(database)).toEqual([{ state: "done", expected: 3, billed: 3, settled: true }])
  })

  test("of a batch that no gateway created are not billed, and neither is any file of the same shape", async () => {
    const database = await open()
    const gateway = await startJobGateway({ database, provider: await startProvider(finishing) })
    await gateway.send("GET", "/v1/files/file-out/content")
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: "0", rollups: "0" })
    const verified = await verifyLedger(database, gateway.journals)
    expect(verified).toMatchObject({ written: 1, waiting: 0, lost: 0 })
  })

  test("have the rates of their own size, also at the exact threshold of a tier", async () => {
    const database = await open()
    // gpt-5.4 costs twice as much from 272,000 tokens on.
    const sizes = [271_999, 272_000, 100_000]
    const file = sizes.map((size, index) =>
      aLine(`b${index}`, {
        object: "chat.completion",
        model: "gpt-5.4",
        choices: [],
        usage: { prompt_tokens: size, completion_tokens: 0, total_tokens: size },
      }),
    )
    const provider = await startProvider((request, response) =>
      request.url!.includes("/files/")
        ? void response.writeHead(200).end(file.join(""))
        : sendJson(response, aBatch(request.method === "POST" ? "validating" : "completed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/batches", { body: {} })
    await gateway.send("GET", "/v1/batches/batch_1")
    await gateway.send("GET", "/v1/files/file-out/content")
    await gateway.settle()
    const items = (await readRows(database)).filter(({ tier }) => tier === "batch")
    const costs = new Map(items.map(({ input_tokens, total_cost }) => [input_tokens, total_cost]))
    expect(Object.fromEntries(costs)).toEqual({ "271999": "0.33999875", "272000": "0.68", "100000": "0.125" })
  })

  test("are read for every endpoint of the Batch API: chat, Responses and embeddings", async () => {
    const database = await open()
    const responses = {
      object: "response",
      model: "gpt-4o-mini",
      output: [],
      usage: { input_tokens: 1000, output_tokens: 500, total_tokens: 1500 },
    }
    const embedding = {
      object: "list",
      model: "text-embedding-3-small",
      data: [],
      usage: { prompt_tokens: 1000, total_tokens: 1000 },
    }
    const file = chat("b0") + aLine("b1", responses) + aLine("b2", embedding)
    const provider = await startProvider((request, response) =>
      request.url!.includes("/files/")
        ? void response.writeHead(200).end(file)
        : sendJson(response, aBatch(request.method === "POST" ? "validating" : "completed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/batches", { body: {} })
    await gateway.send("GET", "/v1/batches/batch_1")
    await gateway.send("GET", "/v1/files/file-out/content")
    await gateway.settle()
    const costs = (await readRows(database)).filter(({ tier }) => tier === "batch").map(({ total_cost }) => total_cost)
    expect(costs.sort()).toEqual(["0.00001", ITEM_COST, ITEM_COST])
  })

  test("of more items than one statement takes are all billed when their batch becomes known", async () => {
    const database = await open()
    const file = Array.from({ length: 1203 }, (_, index) => chat(`b${index}`)).join("")
    const provider = await startProvider((request, response) =>
      request.url!.includes("/files/")
        ? void response.writeHead(200).end(file)
        : sendJson(response, aBatch("completed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("GET", "/v1/files/file-out/content")
    await gateway.settle()
    await gateway.send("POST", "/v1/batches", { body: {} })
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: "0.270675", rollups: "0.270675" })
  })
})
