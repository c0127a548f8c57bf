import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, expect, it } from "vitest"
import { createInstallation, type RunningGateway } from "../support/gateway.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { ask } from "./_ask.ts"
import { firstKey, verifyBooks } from "./_books.ts"
import { report, times } from "./_mode.ts"

const ITEMS = 40
const JOBS_PER_ROUND = 3
const BODY = { model: "gpt-5.6-sol", input: "x", background: true }

let provider: Server
let server: PostgresServer
beforeAll(async () => {
  provider = startJobProvider()
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve))
  server = await startPostgres({ settings: { synchronous_commit: "on" } })
})
afterAll(async () => {
  provider.closeAllConnections()
  provider.close()
  await server.remove()
})

/** A provider that creates a batch or a background response with each POST, and whose jobs are done when they are fetched. */
function startJobProvider(): Server {
  let created = 0
  return createServer(async (request, response) => {
    for await (const _ of request);
    const { method, url = "" } = request
    const id = method === "POST" ? String(++created) : (/_(\d+)/.exec(url)?.[1] ?? "")
    if (url.endsWith("/content")) {
      response.writeHead(200, { "content-type": "application/octet-stream" })
      for (let item = 0; item < ITEMS; item++) {
        response.write(`${JSON.stringify(aLine(`item_${id}_${item}`))}\n`)
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
      return
    }
    const isDone = method === "GET"
    response.writeHead(200, { "content-type": "application/json" })
    response.end(JSON.stringify(url.startsWith("/v1/batches") ? aBatch(id, isDone) : aResponse(id, isDone)))
  })
}

function aLine(id: string) {
  const usage = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
  return { id, response: { status_code: 200, body: { model: "gpt-4o-mini-2024-07-18", choices: [], usage } } }
}

function aBatch(id: string, isDone: boolean) {
  const counts = { total: ITEMS, completed: isDone ? ITEMS : 0, failed: 0 }
  const status = isDone ? "completed" : "in_progress"
  return {
    id: `batch_${id}`,
    object: "batch",
    status,
    output_file_id: isDone ? `file_${id}` : null,
    request_counts: counts,
  }
}

function aResponse(id: string, isDone: boolean) {
  const usage = isDone ? { input_tokens: 1000, output_tokens: 500, total_tokens: 1500 } : null
  return {
    id: `resp_${id}`,
    status: isDone ? "completed" : "queued",
    background: true,
    model: BODY.model,
    output: [],
    usage,
  }
}

it(
  "two gateways that are killed between and during parallel downloads bill each job and each item once",
  async () => {
    const name = `c_${crypto.randomUUID().replaceAll("-", "")}`
    await ask(server.url, `CREATE DATABASE ${name}`)
    const url = server.url.replace(/\/postgres$/, `/${name}`)
    const settings = {
      DATABASE_URL: url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}`,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    }
    const homes = [createInstallation(settings), createInstallation(settings)] as const
    try {
      const gateways: RunningGateway[] = [await homes[0].serve({ args: ["--quiet"] })]
      const key = firstKey(gateways[0]!)
      gateways.push(await homes[1].serve({ args: ["--quiet"] }))
      const send = async (gateway: number, method: string, path: string, body?: unknown) => {
        const response = await fetch(gateways[gateway]!.origin + path, {
          method,
          headers: { "x-majordomo-key": key, "content-type": "application/json" },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
        return response.text()
      }
      const fetchJob = (gateway: number, id: string) =>
        id.startsWith("resp_")
          ? send(gateway, "GET", `/v1/responses/${id}`)
          : send(gateway, "GET", `/v1/batches/${id}`).then(() =>
              send(gateway, "GET", `/v1/files/${id.replace("batch", "file")}/content`),
            )
      const all: string[] = []
      const rounds = times(3, 30)
      for (let round = 0; round < rounds; round++) {
        const killed = round % 2
        const jobs: string[] = []
        for (let job = 0; job < JOBS_PER_ROUND; job++) {
          jobs.push(JSON.parse(await send(killed, "POST", "/v1/batches", {})).id)
          jobs.push(JSON.parse(await send(1 - killed, "POST", "/v1/responses", BODY)).id)
        }
        all.push(...jobs)
        const downloads = jobs.flatMap((id) => [0, 1, 0, 1].map((gateway) => fetchJob(gateway, id).catch(() => "")))
        await Promise.race(downloads)
        await gateways[killed]!.stop("SIGKILL")
        await Promise.all(downloads)
        gateways[killed] = await homes[killed]!.serve({ args: ["--quiet"] })
      }
      await Promise.all(all.flatMap((id) => [fetchJob(0, id), fetchJob(1, id)]))
      for (const gateway of gateways) expect((await gateway.stop()).code).toBe(0)
      const batches = rounds * JOBS_PER_ROUND
      const [sums] = await ask<{ items: number; items_cost: string; responses: number; responses_cost: string }>(
        url,
        `SELECT count(*) FILTER (WHERE price ->> 'tier' = 'batch')::int AS items,
          (1000000 * sum(total_cost) FILTER (WHERE price ->> 'tier' = 'batch'))::int AS items_cost,
          count(*) FILTER (WHERE request_method = 'POST' AND total_cost > 0)::int AS responses,
          (1000000 * sum(total_cost) FILTER (WHERE request_method = 'POST'))::int AS responses_cost FROM llm_requests_full`,
      )
      report("jobs, two gateways", { rounds, batches, ...sums })
      expect(sums).toEqual({
        items: batches * ITEMS,
        items_cost: batches * ITEMS * 225,
        responses: batches,
        responses_cost: batches * 14_000,
      })
      expect(await homes[0].runJson(["usage", "pending"])).toEqual({ jobs: [], unbilled: { items: 0, sources: 0 } })
      for (const home of homes) expect(await verifyBooks(home)).toMatchObject({ balanced: true, lost: 0, waiting: 0 })
    } finally {
      for (const home of homes) await home.remove()
    }
  },
  times(400_000, 1_800_000),
)
