import { expect, test } from "vitest"
import { copyDatabase } from "../../src/database/copy.ts"
import { prune } from "../../src/database/prune.ts"
import { listPending } from "../../src/operations/usage/pending.ts"
import { describeDatabases } from "../support/databases.ts"
import { CREATOR, readSums, sendJson, startJobGateway, startProvider } from "../support/jobs.ts"

const USAGE = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
const line = (id: string) =>
  `${JSON.stringify({ id, response: { status_code: 200, body: { model: "gpt-4o-mini", choices: [], usage: USAGE } } })}\n`
const DAY_MS = 86_400_000

describeDatabases("the pending jobs", (open) => {
  test("are those that were created and not fetched to the end, with what is missing and what to fetch", async () => {
    const database = await open()
    let status = "in_progress"
    const provider = await startProvider((request, response) => {
      if (request.url!.includes("/content")) {
        const part = request.headers.range ? line("b1") : line("b1") + line("b2")
        response.writeHead(request.headers.range ? 206 : 200).end(part)
      } else if (request.url!.startsWith("/v1/responses")) {
        sendJson(response, { id: "resp_1", status: "queued", background: true, model: "gpt-5.6-sol", output: [] })
      } else {
        const isDone = status === "completed"
        const files = {
          output_file_id: isDone ? "file-1" : null,
          request_counts: { total: 2, completed: isDone ? 2 : 0 },
        }
        sendJson(response, { id: "batch_1", object: "batch", status, ...files })
      }
    })
    const gateway = await startJobGateway({ database, provider })
    await gateway.send("POST", "/v1/batches", { body: {} })
    await gateway.send("POST", "/v1/responses", { body: { model: "gpt-5.6-sol", input: "x", background: true } })
    await gateway.send("GET", "/v1/files/file-other/content")
    const readPending = async () => {
      await gateway.settle()
      return listPending({ database }, { limit: 50, now: Date.now() + 60_000 })
    }
    const first = await readPending()
    expect(first).toMatchObject({
      jobs: [
        {
          provider: "openai",
          id: "batch_1",
          kind: "batch",
          state: "running",
          key: CREATOR.id,
          billed_items: 0,
          expected_items: null,
          fetch: "/v1/batches/batch_1",
        },
        { id: "resp_1", kind: "response", billed_items: 0, expected_items: 1, fetch: "/v1/responses/resp_1" },
      ],
      unbilled: { items: 2, sources: 1 },
    })
    expect(first.jobs[0]!.age).toBeGreaterThanOrEqual(60)
    status = "completed"
    await gateway.send("GET", "/v1/batches/batch_1")
    await gateway.send("GET", "/v1/files/file-1/content", { headers: { range: "bytes=0-999" } })
    const half = { id: "batch_1", state: "done", billed_items: 1, expected_items: 2, fetch: "/v1/files/file-1/content" }
    expect((await readPending()).jobs).toMatchObject([half, { id: "resp_1" }])
    await gateway.send("GET", "/v1/files/file-1/content")
    expect((await readPending()).jobs).toMatchObject([{ id: "resp_1" }])
  })

  test("and what was billed are copied to another database, where nothing is billed again", async () => {
    const [source, target] = [await open(), await open()]
    const file = Array.from({ length: 1100 }, (_, index) => line(`b${index}`)).join("")
    const provider = await startProvider((request, response) => {
      if (request.url!.includes("/content")) return void response.writeHead(200).end(file)
      const counts = { total: 1100, completed: 1100, failed: 0 }
      sendJson(response, {
        id: "batch_1",
        object: "batch",
        status: "completed",
        output_file_id: "file-1",
        request_counts: counts,
      })
    })
    const before = await startJobGateway({ database: source, provider })
    await before.send("POST", "/v1/batches", { body: {} })
    await before.send("GET", "/v1/files/file-1/content")
    await before.settle()
    await copyDatabase(source, target)
    const after = await startJobGateway({ database: target, provider })
    await after.send("GET", "/v1/files/file-1/content")
    await after.settle()
    const sums = await readSums(source)
    expect(sums.rows).toBe("0.2475")
    expect(await readSums(target)).toEqual(sums)
  })

  test("stay when requests are pruned, and settled jobs go with them", async () => {
    const database = await open()
    const provider = await startProvider((request, response) => {
      const id = request.url!.includes("old") ? "resp_old" : "resp_1"
      const usage = request.method === "GET" ? { input_tokens: 1000, output_tokens: 500, total_tokens: 1500 } : null
      const status = request.method === "GET" ? "completed" : "queued"
      sendJson(response, { id, status, background: true, model: "gpt-5.6-sol", output: [], usage })
    })
    const gateway = await startJobGateway({ database, provider })
    const body = { model: "gpt-5.6-sol", input: "x", background: true }
    await gateway.send("POST", "/v1/responses?old", { body })
    await gateway.send("POST", "/v1/responses", { body })
    await gateway.send("GET", "/v1/responses/resp_old")
    await gateway.settle()
    const { rollups } = await readSums(database)
    await prune(database, { olderThan: Date.now() + 2 * DAY_MS, bodiesOnly: false })
    const { rows } = await database.query("SELECT id, (SELECT count(*)::int FROM llm_job_items) AS items FROM llm_jobs")
    expect(rows).toEqual([{ id: "resp_1", items: 0 }])
    // A job that was pruned is one that no gateway created.
    await gateway.send("GET", "/v1/responses/resp_old")
    await gateway.settle()
    expect((await readSums(database)).rollups).toBe(rollups)
    await gateway.send("GET", "/v1/responses/resp_1")
    await gateway.settle()
    expect((await readSums(database)).rollups).toBe("0.028")
  })
})
