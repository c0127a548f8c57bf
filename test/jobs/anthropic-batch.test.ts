import Anthropic from "@anthropic-ai/sdk"
import { describe, expect, test } from "vitest"
import { ResultsUrlFilter } from "../../src/providers/anthropic/results-url.ts"
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

const RESULTS_URL = "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"

function aBatch(status: "in_progress" | "ended") {
  const isEnded = status === "ended"
  return {
    id: "msgbatch_1",
    type: "message_batch",
    processing_status: status,
    request_counts: {
      processing: isEnded ? 0 : 3,
      succeeded: isEnded ? 2 : 0,
      errored: isEnded ? 1 : 0,
      canceled: 0,
      expired: 0,
    },
    results_url: isEnded ? RESULTS_URL : null,
  }
}

function aResult(id: string): string {
  const usage = { input_tokens: 1000, output_tokens: 500 }
  const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-sonnet-4-6", content: [], usage }
  return `${JSON.stringify({ custom_id: id, result: { type: "succeeded", message } })}\n`
}

const RESULTS = `${aResult("a")}${aResult("b")}{"custom_id":"c","result":{"type":"errored","error":{"type":"error"}}}\n`
const SUM = "0.0105"

const finishing: Answer = (request, response) => {
  if (request.url!.endsWith("/results")) {
    response.writeHead(200, { "content-type": "application/x-jsonl" }).end(RESULTS)
  } else if (request.method === "POST") sendJson(response, aBatch("in_progress"))
  else sendJson(response, request.url!.endsWith("/batches") ? { data: [aBatch("ended")] } : aBatch("ended"))
}

describeDatabases("the results of a batch of messages", (open) => {
  test("are billed once through the official SDK, whose download goes through the gateway", async () => {
    const database = await open()
    const gateway = await startJobGateway({ database, provider: await startProvider(finishing) })
    const clientOf = ({ key }: typeof CREATOR) =>
      new Anthropic({ baseURL: gateway.origin, apiKey: "sk-ant-x", defaultHeaders: { "x-majordomo-key": key } })
    const batch = await clientOf(CREATOR).messages.batches.create({ requests: [] })
    for (let download = 0; download < 2; download++) {
      const ids: string[] = []
      for await (const result of await clientOf(FETCHER).messages.batches.results(batch.id)) ids.push(result.custom_id)
      expect(ids).toEqual(["a", "b", "c"])
    }
    await gateway.settle()
    expect(await readSums(database)).toEqual({ rows: SUM, rollups: SUM })
    const rows = await readRows(database)
    const items = rows.filter(({ tier }) => tier === "batch")
    expect(items).toHaveLength(2)
    for (const item of items) {
      expect(item).toMatchObject({
        majordomo_api_key_id: CREATOR.id,
        model: "claude-sonnet-4-6",
        total_cost: "0.00525",
      })
    }
    expect(rows.filter(({ request_path }) => request_path.endsWith("/results"))).toHaveLength(4)
    const { rows: jobs } = await database.query(
      "SELECT id, state, expected_items::int AS expected, billed_items::int AS billed, settled_at IS NOT NULL AS settled FROM llm_jobs",
    )
    expect(jobs).toEqual([{ id: "msgbatch_1", state: "done", expected: 2, billed: 2, settled: true }])
  })
})

describeDatabases("the results_url of a batch", (open) => {
  test("is the address by which the client reaches the gateway, and every other byte stays", async () => {
    const database = await open()
    const provider = await startProvider(finishing)
    const gateway = await startJobGateway({ database, provider })
    const own = RESULTS_URL.replace("https://api.anthropic.com", gateway.origin)
    for (const path of ["/v1/messages/batches/msgbatch_1", "/v1/messages/batches"]) {
      const sent = await (await fetch(provider + path)).text()
      expect(await gateway.send("GET", path)).toBe(sent.replace(RESULTS_URL, own))
    }
    expect(await gateway.send("POST", "/v1/messages/batches", { body: {} })).toBe(JSON.stringify(aBatch("in_progress")))
  })
})

describe("the filter of results_url", () => {
  const text = JSON.stringify({
    data: [
      aBatch("ended"),
      aBatch("in_progress"),
      { note: 'a "results_url" in a text', results_url: "not an address" },
    ],
    more: '"results_url": "https://x/v1/messages/batches/b/results"',
  })
  const right = text.replace(RESULTS_URL, "http://gateway:7680/v1/messages/batches/msgbatch_1/results")

  test("changes the same bytes however they are cut", () => {
    for (let size = 1; size <= text.length; size += size < 40 ? 1 : 37) {
      const filter = new ResultsUrlFilter("http://gateway:7680")
      const pieces = []
      for (let at = 0; at < text.length; at += size) pieces.push(filter.push(Buffer.from(text.slice(at, at + size))))
      expect(Buffer.concat([...pieces, filter.end()]).toString(), `pieces of ${size}`).toBe(right)
    }
  })

  test("passes on what is no JSON, and an address that never ends", () => {
    for (const odd of [
      '"results_url"',
      '{"results_url": "https://',
      `{"results_url":"${"x".repeat(10_000)}`,
      "PK\u0003\u0004",
    ]) {
      const filter = new ResultsUrlFilter("http://gateway:7680")
      expect(Buffer.concat([filter.push(Buffer.from(odd)), filter.end()]).toString()).toBe(odd)
    }
  })
})
