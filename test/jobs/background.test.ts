import { expect, test } from "vitest"
import { verifyLedger } from "../../src/database/verify.ts"
import { makeDirectory } from "../database/_ledger.ts"
import { describeDatabases } from "../support/databases.ts"
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

const USAGE = {
  input_tokens: 1000,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 500,
  output_tokens_details: { reasoning_tokens: 100 },
  total_tokens: 1500,
}
const BODY = { model: "gpt-5.6-sol", input: "x", background: true }
const COST = "0.014"

function aResponse(status: string, changes: Record<string, unknown> = {}) {
  const usage = status === "completed" ? USAGE : null
  return {
    id: "resp_1",
    object: "response",
    status,
    background: true,
    model: "gpt-5.6-sol",
    output: [],
    usage,
    ...changes,
  }
}

/** A provider whose response is complete when it is fetched. */
const finishing: Answer = (request, response) =>
  sendJson(response, aResponse(request.method === "POST" ? "queued" : "completed"))

describeDatabases("a background response", (open) => {
  test("is billed once, in the row of its creation, however often it is fetched", async () => {
    const database = await open()
    const gateway = await startJobGateway({ database, provider: await startProvider(finishing) })
    const headers = { "x-majordomo-user-id": "u-1" }
    await gateway.send("POST", "/v1/responses", { body: BODY, headers })
    await gateway.settle()
    expect(await readRows(database)).toMatchObject([{ cost_status: "unpriced", total_cost: null }])
    await gateway.send("GET", "/v1/responses/resp_1", { client: FETCHER })
    await gateway.settle()
    await Promise.all(Array.from({ length: 5 }, () => gateway.send("GET", "/v1/responses/resp_1", { client: FETCHER })))
    await gateway.settle()
    const rows = await readRows(database)
    expect(rows).toHaveLength(7)
    expect(rows[0]).toMatchObject({
      request_method: "POST",
      majordomo_api_key_id: CREATOR.id,
      raw_metadata: { "User-Id": "u-1" },
      model: "gpt-5.6-sol",
      input_tokens: "1000",
      output_tokens: "500",
      total_cost: COST,
      cost_status: "exact",
    })
    for (const row of rows.slice(1))
      expect(row).toMatchObject({ total_cost: "0", cost_status: "free", input_tokens: "0" })
    expect(await readSums(database)).toEqual({ rows: COST, rollups: COST })
    const { rows: jobs } = await database.query("SELECT id, state, settled_at IS NOT NULL AS settled FROM llm_jobs")
    expect(jobs).toEqual([{ id: "resp_1", state: "done", settled: true }])
    const verified = await verifyLedger(database, gateway.journals)
    expect(verified).toMatchObject({ written: 7, waiting: 0, lost: 0, differences: [] })
  })

  test("is billed when its result arrives before its creation, because the creation waits in another gateway", async () => {
    const database = await open()
    const journals = await makeDirectory()
    const provider = await startProvider(finishing)
    const away = { ...database, query: unreachable, transaction: unreachable }
    const first = await startJobGateway({ database: away, provider, journals, slot: 1 })
    const second = await startJobGateway({ database, provider, journals, slot: 2 })
    await first.send("POST", "/v1/responses", { body: BODY })
    await second.send("GET", "/v1/responses/resp_1", { client: FETCHER })
    await second.settle()
    expect((await readSums(database)).rows).toBe("0")
    await first.ledger.close()
    const again = await startJobGateway({ database, provider, journals, slot: 1 })
    await again.settle()
    await again.send("GET", "/v1/responses/resp_1")
    await again.settle()
    expect(await readSums(database)).toEqual({ rows: COST, rollups: COST })
    const billed = (await readRows(database)).filter(({ total_cost }) => total_cost === COST)
    expect(billed).toMatchObject([{ request_method: "POST", majordomo_api_key_id: CREATOR.id }])
    expect(await verifyLedger(database, journals)).toMatchObject({ waiting: 0, lost: 0, differences: [] })
  })

  test("that no gateway created is billed only with metering.foreign_jobs, to the key that fetches it", async () => {
    const database = await open()
    const provider = await startProvider(finishing)
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("GET", "/v1/responses/resp_1", { client: FETCHER })
    await gateway.settle()
    expect((await readSums(database)).rows).toBe("0")
    const willing = await startJobGateway({ database, provider, foreignJobs: true })
    for (const client of [FETCHER, CREATOR]) {
      await willing.send("GET", "/v1/responses/resp_1", { client })
      await willing.settle()
    }
    expect(await readSums(database)).toEqual({ rows: COST, rollups: COST })
    const billed = (await readRows(database)).filter(({ total_cost }) => total_cost === COST)
    expect(billed).toMatchObject([{ request_method: "GET", majordomo_api_key_id: FETCHER.id }])
  })

  test("that failed without usage is free", async () => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      sendJson(response, aResponse(request.method === "POST" ? "queued" : "failed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/responses", { body: BODY })
    await gateway.send("GET", "/v1/responses/resp_1")
    await gateway.settle()
    expect(await readRows(database)).toMatchObject([
      { request_method: "POST", cost_status: "free", total_cost: "0" },
      { request_method: "GET", cost_status: "free" },
    ])
    const { rows: jobs } = await database.query("SELECT state, settled_at IS NOT NULL AS settled FROM llm_jobs")
    expect(jobs).toEqual([{ state: "failed", settled: true }])
  })

  test("whose row was pruned gets a row of its own", async () => {
    const database = await open()
    const gateway = await startJobGateway({ database, provider: await startProvider(finishing) })
    await gateway.send("POST", "/v1/responses", { body: BODY })
    await gateway.settle()
    await database.query("DELETE FROM llm_requests")
    await gateway.send("GET", "/v1/responses/resp_1", { client: FETCHER })
    await gateway.send("GET", "/v1/responses/resp_1", { client: FETCHER })
    await gateway.settle()
    const billed = (await readRows(database)).filter(({ total_cost }) => total_cost === COST)
    expect(billed).toMatchObject([{ majordomo_api_key_id: CREATOR.id, request_path: "/v1/responses/resp_1" }])
  })
})

describeDatabases("a streamed background response", (open) => {
  const events = (...list: readonly Record<string, unknown>[]) =>
    list.map((event) => `event: ${event["type"]}\ndata: ${JSON.stringify(event)}\n\n`).join("")
  const start = { type: "response.created", response: aResponse("in_progress") }
  const delta = { type: "response.output_text.delta", item_id: "m", delta: "Hello there, this is a text. " }
  const end = { type: "response.completed", response: aResponse("completed") }

  test("is billed by its stream, and a resume or a fetch adds nothing", async () => {
    const database = await open()
    const provider = await startProvider((request, response) => {
      if (!/stream/.test(request.url!) && request.method === "GET") return sendJson(response, aResponse("completed"))
      response.writeHead(200, { "content-type": "text/event-stream" }).end(events(start, delta, end))
    })
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/responses", { body: { ...BODY, stream: true } })
    await gateway.send("GET", "/v1/responses/resp_1?stream=true&starting_after=1")
    await gateway.send("GET", "/v1/responses/resp_1")
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: COST, rollups: COST })
    expect(await readRows(database)).toMatchObject([{ request_method: "POST", total_cost: COST }, {}, {}])
  })

  test("that was cut is estimated until a resume states its usage", async () => {
    const database = await open()
    const provider = await startProvider((request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      if (request.method === "GET") return void response.end(events(delta, end))
      response.write(events(start, delta), () => response.destroy())
    })
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/responses", { body: { ...BODY, stream: true } }).catch(() => {})
    await gateway.settle()
    expect((await readRows(database))[0]).toMatchObject({ cost_status: "estimated" })
    await gateway.send("GET", "/v1/responses/resp_1?stream=true&starting_after=1")
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: COST, rollups: COST })
    expect((await readRows(database))[0]).toMatchObject({ cost_status: "exact", total_cost: COST })
  })
})

describeDatabases("a response that is not a background response", (open) => {
  test("is billed by its POST, and a fetch adds nothing, also with metering.foreign_jobs", async () => {
    const database = await open()
    const provider = await startProvider((_request, response) =>
      sendJson(response, aResponse("completed", { background: false })),
    )
    const gateway = await startJobGateway({ database, provider, foreignJobs: true })
    await gateway.send("POST", "/v1/responses", { body: { model: "gpt-5.6-sol", input: "x" } })
    await gateway.send("GET", "/v1/responses/resp_1")
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: COST, rollups: COST })
    expect((await database.query("SELECT FROM llm_jobs")).rowCount).toBe(0)
  })
})

async function unreachable(): Promise<never> {
  throw Object.assign(new Error("the database is away"), { code: "ECONNREFUSED" })
}
