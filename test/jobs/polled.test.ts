import { expect, test } from "vitest"
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

const USAGE = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
/** 1,000 x 0.15 + 500 x 0.60 USD per million. */
const COST_OF_RUN = "0.00045"
const THREAD = "/v1/threads/thread_1/runs"

function aRun(status: string) {
  const usage = status === "completed" ? USAGE : null
  return {
    id: "run_1",
    object: "thread.run",
    status,
    thread_id: "thread_1",
    model: "gpt-4o-mini",
    usage,
    created_at: 1,
  }
}

function sendEvents(response: Parameters<Answer>[1], events: readonly object[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" })
  for (const event of events) response.write(`event: thread.event\ndata: ${JSON.stringify(event)}\n\n`)
  response.end("event: done\ndata: [DONE]\n\n")
}

describePostgresFirst("a run of an assistant", (open) => {
  test("is billed once, in the row of its creation, whoever polls it", async () => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      sendJson(response, aRun(request.method === "POST" ? "queued" : "completed")),
    )
    const gateway = await startJobGateway({ database, provider })
    const headers = { "x-majordomo-user-id": "u-1" }
    await gateway.send("POST", THREAD, { body: { assistant_id: "asst_1" }, headers })
    await gateway.settle()
    for (let polls = 0; polls < 3; polls++) {
      await Promise.all([1, 2].map(() => gateway.send("GET", `${THREAD}/run_1`, { client: FETCHER })))
      await gateway.settle()
    }
    const rows = await readRows(database)
    expect(rows[0]).toMatchObject({
      request_method: "POST",
      majordomo_api_key_id: CREATOR.id,
      raw_metadata: { "User-Id": "u-1" },
      model: "gpt-4o-mini",
      total_cost: COST_OF_RUN,
      cost_status: "exact",
    })
    expect(await readSums(database)).toEqual({ rows: COST_OF_RUN, rollups: COST_OF_RUN })
  })

  test("that waits for tool outputs is billed once, by the stream in which it ends", async () => {
    const database = await open()
    const step = { id: "step_1", object: "thread.run.step", status: "completed", usage: USAGE }
    const provider = await startProvider((request, response) => {
      if (request.method === "GET") return sendJson(response, aRun("completed"))
      const isEnd = request.url!.endsWith("/submit_tool_outputs")
      sendEvents(
        response,
        isEnd ? [aRun("in_progress"), step, aRun("completed")] : [aRun("queued"), aRun("requires_action")],
      )
    })
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", THREAD, { body: { assistant_id: "asst_1", stream: true } })
    await gateway.send("POST", `${THREAD}/run_1/submit_tool_outputs`, { body: { tool_outputs: [], stream: true } })
    await gateway.send("GET", `${THREAD}/run_1`)
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: COST_OF_RUN, rollups: COST_OF_RUN })
    expect((await readRows(database))[0]).toMatchObject({ total_cost: COST_OF_RUN, cost_status: "exact" })
  })

  test("that streams to its end is billed by its creation, and polling it adds nothing", async () => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      request.method === "GET"
        ? sendJson(response, aRun("completed"))
        : sendEvents(response, [aRun("queued"), aRun("completed")]),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/threads/runs", { body: { assistant_id: "asst_1", stream: true } })
    await gateway.send("GET", `${THREAD}/run_1`)
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: COST_OF_RUN, rollups: COST_OF_RUN })
  })

  test("that failed without usage is free", async () => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      sendJson(response, aRun(request.method === "POST" ? "queued" : "failed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", THREAD, { body: { assistant_id: "asst_1" } })
    await gateway.send("GET", `${THREAD}/run_1`)
    await gateway.settle()
    expect((await readRows(database))[0]).toMatchObject({ cost_status: "free", total_cost: "0" })
  })
})

describePostgresFirst("a film of Sora's", (open) => {
  const aVideo = (status: string) => ({
    id: "video_1",
    object: "video",
    status,
    model: "sora-2",
    seconds: "8",
    size: "1280x720",
    created_at: 1_795_000_000,
  })
  const order = { body: { model: "sora-2", prompt: "x", seconds: "8", size: "1280x720" } }

  test("is an estimate when it is ordered, and exact when it was made, once", async () => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      sendJson(response, aVideo(request.method === "POST" ? "queued" : "completed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/videos", order)
    await gateway.settle()
    // 8 s at 0.10 USD.
    expect(await readRows(database)).toMatchObject([{ cost_status: "estimated", total_cost: "0.8" }])
    for (let polls = 0; polls < 2; polls++) await gateway.send("GET", "/v1/videos/video_1", { client: FETCHER })
    await gateway.settle()
    expect((await readRows(database))[0]).toMatchObject({ total_cost: "0.8", majordomo_api_key_id: CREATOR.id })
    expect(await readSums(database)).toEqual({ rows: "0.8", rollups: "0.8" })
  })

  test("that could not be made is free", async () => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      sendJson(response, aVideo(request.method === "POST" ? "queued" : "failed")),
    )
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/videos", order)
    await gateway.send("GET", "/v1/videos/video_1")
    await gateway.settle()
    expect((await readRows(database))[0]).toMatchObject({ cost_status: "free", total_cost: "0" })
    expect(await readSums(database)).toEqual({ rows: "0", rollups: "0" })
  })
})

describePostgresFirst("a film of xAI's", (open) => {
  test.each([
    ["done", { usage: { cost_in_usd_ticks: 5_000_000_000 }, video: { url: "u", duration: 10 } }, "0.5", "exact"],
    ["expired", {}, "0", "free"],
  ])("that is %s costs what the answer says, once", async (status, more, cost, sure) => {
    const database = await open()
    const provider = await startProvider((request, response) =>
      sendJson(
        response,
        request.method === "POST" ? { request_id: "r-1" } : { status, model: "grok-imagine-video", ...more },
      ),
    )
    const gateway = await startJobGateway({ database, provider })
    const headers = { "x-majordomo-provider": "xai" }
    await gateway.send("POST", "/v1/videos/generations", {
      body: { model: "grok-imagine-video", prompt: "x" },
      headers,
    })
    for (let polls = 0; polls < 3; polls++) await gateway.send("GET", "/v1/videos/r-1", { client: FETCHER, headers })
    await gateway.settle()
    const [order] = await readRows(database)
    expect(order).toMatchObject({ total_cost: cost, cost_status: sure, majordomo_api_key_id: CREATOR.id })
    expect(await readSums(database)).toEqual({ rows: cost, rollups: cost })
  })
})

describePostgresFirst("a film of Veo's", (open) => {
  const NAME = "models/veo-3.0-generate-001/operations/op1"

  test("that could not be made is free, and one that was made keeps the estimate of its order", async () => {
    const database = await open()
    const provider = await startProvider((request, response) => {
      if (request.method === "POST")
        return sendJson(response, { name: request.url!.includes("fast") ? `${NAME}f` : NAME })
      const error = { code: 3, message: "blocked" }
      const made = { generateVideoResponse: { generatedSamples: [{ video: { uri: "u" } }] } }
      sendJson(response, {
        name: request.url!.slice("/v1beta/".length),
        done: true,
        ...(request.url!.endsWith("f") ? { error } : { response: made }),
      })
    })
    const gateway = await startJobGateway({ database, provider })
    const headers = { "x-goog-api-key": "k" }
    const body = { instances: [{ prompt: "x" }], parameters: { durationSeconds: 8 } }
    await gateway.send("POST", "/v1beta/models/veo-3.0-generate-001:predictLongRunning", { body, headers })
    await gateway.send("POST", "/v1beta/models/veo-3.0-fast-generate-001:predictLongRunning", { body, headers })
    for (const name of [NAME, `${NAME}f`, NAME]) await gateway.send("GET", `/v1beta/${name}`, { headers })
    await gateway.settle()
    const [made, failed] = await readRows(database)
    expect(made).toMatchObject({ cost_status: "estimated" })
    expect(Number(made!.total_cost)).toBeGreaterThan(0)
    expect(failed).toMatchObject({ cost_status: "free", total_cost: "0" })
    expect((await readSums(database)).rollups).toBe(made!.total_cost)
  })
})
