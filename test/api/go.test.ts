import { execFile, spawn } from "node:child_process"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { GO_ROUTES } from "../../src/api/routes/go/index.ts"
import { openApi } from "../../src/server/api.ts"
import { createApp } from "../../src/server/app.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

// The requests and the fields are those of gateway-cli and gateway-mcp of go-majordomo/majordomo-gateway (August 2026).

let api: ReturnType<typeof openApi>
let server: Server
let client: pg.Client
let url: string
let search: string
const bugs: string[] = []
const ACTOR = { kind: "command", name: "test", role: "admin", id: null, address: null } as const

/** Version 5 UUIDs of "run-1\\0" and "run-1\\0plan", computed with another library. */
const SPAN_IDS = ["4af23d65-cd05-5e91-ba77-5ec4e2b1b708", "a095b74b-2e58-5fcf-a367-24ab090df7fc"]
const FIRST = "00000000-0000-4000-8000-000000000001"
const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10)
const at = (ago: number, time: string) => `${day(ago)}T${time}Z`

beforeAll(async () => {
  const database = await createTestDatabase()
  const { settings } = await loadSettings({ cwd: tmpdir(), env: { DATABASE_URL: database.url } })
  const log = (_level: string, line: string) => void bugs.push(line)
  api = openApi({ settings, log, prices: undefined as never, authenticate: async () => ({ actor: ACTOR }) })
  const probe = { metrics: async () => "", check: async () => ({ error: undefined, warnings: [] }), api: api.handle }
  const policy = { host: "127.0.0.1", allowedHosts: [], corsOrigins: [], metricsToken: undefined }
  server = createServer(createApp(undefined as never, probe, policy))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  search = await insertKey(client, "Search")
  const run = (path: string) => ({ "Trace-Id": "run-1", "Span-Path": path, "Span-Name": "call" })
  await insertRows(client, [
    { id: FIRST, at: at(1, "10:00:00"), key: search, input: 100, cached: 40, output: 10, cost: "0.25" },
    { at: at(1, "11:00:00"), key: search, code: 429, status: "free", metadata: { Feature: "chat" } },
    { at: at(2, "10:00:00"), provider: "anthropic", model: "claude", cost: "1.5", metadata: { Feature: "search" } },
    { at: at(2, "10:01:00"), provider: "anthropic", model: "claude", cost: "0.5", metadata: run("plan") },
    { at: at(2, "10:02:00"), provider: "anthropic", model: "claude", cost: "0.25", metadata: run("plan/tool:search") },
    { at: at(2, "10:03:00"), provider: "anthropic", model: "new", cost: null, status: "unpriced", metadata: run("") },
    { at: at(60, "10:00:00"), key: search, cost: "100" },
  ])
  await client.query(
    `UPDATE llm_requests SET request_body = '{"model":"gpt-4o-mini"}', response_body = 'plain text' WHERE id = $1`,
    [FIRST],
  )
})

afterAll(async () => {
  await client.end()
  await new Promise((resolve) => server.close(resolve))
  await api.close()
})

// biome-ignore lint/suspicious/noExplicitAny: the fields are those that the Go clients read
type Answer = any

const call = (method: string, path: string, body?: unknown) =>
  fetch(`${url}/api/v1${path}`, {
    method,
    headers: { Accept: "application/json", ...(body !== undefined && { "Content-Type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
async function read(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await call(method, path, body)
  const answer = await response.json()
  expect({ status: response.status, answer }).toMatchObject({ status: 200 })
  expect(bugs).toEqual([])
  return answer
}
const ask = (path: string, body: unknown = {}) => read("POST", `/usage/${path}`, body)

describe("the routes of the Go gateway", () => {
  test("a total has numbers, and says for how many requests the cost is not known", async () => {
    expect(await ask("summary")).toEqual({
      total_requests: 6,
      total_input_tokens: 100,
      total_output_tokens: 10,
      total_cached_tokens: 40,
      total_cache_creation_tokens: 0,
      total_cost: 2.5,
      total_cached_cost: null,
      total_cache_creation_cost: null,
      unpriced_requests: 1,
    })
  })

  test("a call without a body asks for the last 30 days", async () => {
    expect(await read("POST", "/usage/summary")).toMatchObject({ total_requests: 6 })
  })

  test.each([
    [{ preset: "7d" }, 6],
    [{ preset: "90d" }, 7],
    [{ preset: "1y" }, 6],
    [{ start: day(1) }, 2],
    [{ start: day(2), end: day(1) }, 4],
    [{ start: at(2, "10:01:00"), end: at(2, "10:02:30") }, 2],
    [{ end: day(1) }, 6],
    [{ provider: "anthropic" }, 4],
    [{ model: "gpt-4o-mini", preset: "90d" }, 3],
    [{ status_class: "error" }, 1],
    [{ metadata_filters: [{ key: "feature", value: "chat" }] }, 1],
    [{ provider: "", model: null, limit: 0, unheard: true }, 6],
  ])("%j selects %i requests", async (body, requests) => {
    expect(await ask("summary", body)).toMatchObject({ total_requests: requests })
    expect(await ask("requests", body)).toMatchObject({ numRecords: requests })
  })

  test("breakdowns are lists, the most expensive group first, and days in their order", async () => {
    expect(await ask("models")).toMatchObject([
      { provider: "anthropic", model: "claude", request_count: 3, total_cost: 2.25 },
      { provider: "openai", model: "gpt-4o-mini", request_count: 2, input_tokens: 100, total_cost: 0.25 },
      { provider: "anthropic", model: "new", request_count: 1, total_cost: null, unpriced_requests: 1 },
    ])
    expect(await ask("providers")).toMatchObject([
      { provider: "anthropic", request_count: 4, total_cost: 2.25 },
      { provider: "openai", request_count: 2, total_cost: 0.25 },
    ])
    expect(await ask("api-keys")).toMatchObject([
      { api_key_id: null, api_key_name: "(none)", request_count: 4 },
      { api_key_id: search, api_key_name: "Search", request_count: 2 },
    ])
    expect(await ask("daily")).toMatchObject([
      { date: day(2), request_count: 4, total_cost: 2.25 },
      { date: day(1), request_count: 2, cached_tokens: 40 },
    ])
    expect(await ask("metadata/feature")).toMatchObject([
      { value: "search", request_count: 1, total_cost: 1.5 },
      { value: "chat", request_count: 1, total_cost: 0 },
    ])
    expect(await ask("models", { api_key_id: search })).toHaveLength(1)
  })

  test("the error rate counts all requests, in all and by day", async () => {
    const rates = { total_requests: 6, error_requests: 1, error_rate: 1 / 6 }
    const daily = [
      { date: day(2), request_count: 4, error_count: 0, error_rate: 0 },
      { date: day(1), request_count: 2, error_count: 1, error_rate: 0.5 },
    ]
    expect(await ask("errors")).toEqual({ ...rates, daily })
    expect(await ask("errors", { status_class: "error" })).toEqual({ ...rates, daily })
    expect(await ask("errors/recent", { limit: 5 })).toMatchObject([
      { status_code: 429, api_key_id: search, api_key_name: "Search", provider: "openai" },
    ])
  })

  test("latencies are percentiles, in all and by day", async () => {
    const percentiles = { avg_latency_ms: null, p50_latency_ms: 800, p95_latency_ms: 800, p99_latency_ms: 800 }
    const daily = [2, 1].map((ago) => ({ date: day(ago), ...percentiles }))
    expect(await ask("latency")).toEqual({ ...percentiles, daily, approximate: false })
    expect(await ask("latency", { model: "unheard-of" })).toMatchObject({ p50_latency_ms: null, daily: [] })
  })

  test("requests are pages of a list with its length", async () => {
    const all = await ask("requests")
    expect(all.requests[0]).toMatchObject({ status_code: 429, requested_at: `${day(1)}T11:00:00.000Z`, total_cost: 0 })
    expect(all.requests[1]).toMatchObject({ id: FIRST, majordomo_api_key_id: search, total_cost: 0.25 })
    expect(all.requests[2]).toMatchObject({ model: "new", trace_id: "run-1", total_cost: null })
    expect(all.requests[2]).not.toHaveProperty("majordomo_api_key_id")
    const page = await ask("requests", { limit: 2, offset: 1 })
    expect(page).toEqual({ requests: all.requests.slice(1, 3), numRecords: 6 })
    expect(await ask("requests", { offset: 100 })).toEqual({ requests: [], numRecords: 6 })
  })

  test("a request has the columns of its row, with numbers for money, and its bodies at an address of their own", async () => {
    const request = await read("GET", `/usage/requests/${FIRST}`)
    expect(request).toMatchObject({
      id: FIRST,
      request_path: "/v1/chat/completions",
      response_time_ms: 800,
      cached_tokens: 40,
      cache_creation_5m_tokens: 0,
      input_cost: 0.25,
      total_cost: 0.25,
      status_code: 200,
    })
    expect(await read("GET", `/usage/requests/${FIRST}/body`)).toEqual({
      request_id: FIRST,
      timestamp: request.requested_at,
      request: { method: "POST", path: "/v1/chat/completions", body: { model: "gpt-4o-mini" } },
      response: { status_code: 200, body: "plain text" },
    })
  })

  test("a run is a tree of steps with requests as leaves, under the ids that the Go gateway derives", async () => {
    const { runs, numRecords } = await ask("runs")
    expect({ runs, numRecords }).toMatchObject({
      runs: [{ trace_id: "run-1", label: "plan", request_count: 3, total_cost: 0.75, unpriced_requests: 1 }],
      numRecords: 1,
    })
    expect(runs[0]).toMatchObject({ started_at: `${day(2)}T10:01:00.000Z`, ended_at: `${day(2)}T10:03:00.000Z` })
    expect(await ask("runs", { offset: 1 })).toEqual({ runs: [], numRecords: 1 })
    const tree = await read("GET", "/usage/runs/run-1")
    expect(tree).toMatchObject({ trace_id: "run-1", total_cost: 0.75, request_count: 3, truncated: false })
    const { root } = tree
    expect(root).toMatchObject({ kind: "run", name: "plan", path: "", self_cost: 0, request_count: 3 })
    expect([root.span_id, root.children[0].span_id]).toEqual(SPAN_IDS)
    expect(root.children).toMatchObject([
      {
        kind: "step",
        name: "plan",
        parent_span_id: root.span_id,
        children: [
          { kind: "llm", name: "call", provider: "anthropic", model: "claude", path: "plan", self_cost: 0.5 },
          { kind: "step", path: "plan/tool:search", children: [{ kind: "llm", total_cost: 0.25 }] },
        ],
      },
      { kind: "llm", model: "new", total_cost: null },
    ])
  })

  test("keys are created, listed and revoked with the fields of both", async () => {
    const created = await read("POST", "/keys", { name: "Billing" })
    expect(created).toMatchObject({ name: "Billing", is_active: true, status: "active", key: expect.any(String) })
    expect((await call("DELETE", `/keys/${created.id}`)).status).toBe(200)
    const listed = (await read("GET", "/keys")).find(({ id }: { id: string }) => id === created.id)
    expect(listed).toMatchObject({ is_active: false, status: "revoked", deprecated_model_behavior: "passthrough" })
    const events = await fetch(`${url}/api/v1/keys`, { headers: { Accept: "text/event-stream" } })
    expect(await events.text(), "our command line gets its own fields alone").not.toContain("is_active")
  })

  test("metadata is indexed and no longer indexed, for one key or for all", async () => {
    const feature = { api_key_id: search, key_name: "feature" }
    expect(await read("POST", "/metadata/activate", feature)).toMatchObject({ status: "activated" })
    const countRows = async (text: string) => (await client.query(text)).rowCount
    expect(
      await countRows("SELECT FROM llm_requests_metadata_keys WHERE key_name = 'Feature' AND is_active"),
    ).toBeGreaterThan(0)
    expect(await read("POST", "/metadata/deactivate", feature)).toMatchObject({ status: "deactivated" })
    await read("POST", "/metadata/activate", { ...feature, api_key_id: "all" })
    expect(
      await countRows("SELECT FROM llm_usage_metadata_names WHERE name = 'Feature' AND every_key AND summed"),
    ).toBe(1)
    expect(await read("GET", "/metadata")).toContainEqual(
      expect.objectContaining({
        name: "Feature",
        active: "all",
        majordomo_api_key_id: "all",
        key_name: "Feature",
        is_active: true,
        approx_cardinality: 2,
        request_count: 1,
      }),
    )
  })

  test.each([
    ["POST", "/usage/summary", { start: "yesterday" }, 400, "start"],
    ["POST", "/usage/summary", { start: "2026-02-31" }, 400, "start"],
    ["POST", "/usage/summary", { start: "2026-02-02", end: "2026-02-01" }, 400, "end"],
    ["POST", "/usage/summary", { api_key_id: "Search" }, 400, "api_key_id"],
    ["POST", "/usage/summary", { status_class: "slow" }, 400, "status_class"],
    ["POST", "/usage/summary", { metadata_filters: [{ key: "", value: "x" }] }, 400, "metadata_filters"],
    ["POST", "/usage/requests", { exclude_runs: true }, 400, "exclude_runs"],
    ["POST", "/usage/requests", { limit: "5" }, 400, "limit"],
    ["POST", "/usage/metadata/nobody", {}, 400, "by"],
    ["POST", "/metadata/activate", { api_key_id: "Search", key_name: "x" }, 400, "api_key_id"],
    ["GET", "/usage/runs/nothing", undefined, 404, undefined],
    ["GET", `/usage/requests/${crypto.randomUUID()}`, undefined, 404, undefined],
    ["GET", "/usage/requests/x", undefined, 422, undefined],
    ["DELETE", `/keys/${crypto.randomUUID()}`, undefined, 404, undefined],
    ["POST", "/provider-keys", { provider: "openai", key: "sk-x" }, 400, "secret"],
  ])(
    "%s %s with %j is rejected, with the reason as error, which the Go clients print",
    async (method, path, body, status, field) => {
      const response = await call(method, path, body)
      const problem = (await response.json()) as Answer
      expect({ status: response.status, field: problem.field }).toEqual({ status, field })
      expect(problem.error).toBe(problem.detail)
      expect(bugs).toEqual([])
    },
  )

  test("every answer has the shape that the OpenAPI document says", async () => {
    const inputs: Record<string, unknown> = { key: "feature", trace: "run-1", id: FIRST }
    for (const route of GO_ROUTES.flatMap((routes) => Object.values(routes))) {
      if (route.role === "admin") continue
      const path = route.path.replace(/\{(\w+)\}/g, (_: string, name: string) => String(inputs[name]))
      expect(() => route.output.parse({}), `${route.name} takes everything`).toThrow()
      route.output.parse(await read(route.method, path, route.method === "POST" ? {} : undefined))
    }
  })
})

/** The tools whose routes are not there yet. */
const NOT_COVERED: string[] = []

const CLI = process.env["GO_GATEWAY_CLI"]

describe.skipIf(CLI === undefined)("gateway-cli, whose path GO_GATEWAY_CLI names,", () => {
  const run = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(CLI!, ["--api-url", url, "--token", "t", ...args])
    return stdout
  }

  test.each([
    [["usage", "summary"], /Requests: +6\n[\s\S]*Total cost: +\$2\.5000/],
    [["usage", "models"], /anthropic +claude +3 +0 +0 +\$2\.2500/],
    [["usage", "providers"], /openai +2 +\$0\.2500/],
    [["usage", "keys"], /Search +2 +\$0\.2500/],
    [["usage", "latency"], /"p95_latency_ms": 800/],
    [["usage", "errors"], /"error_requests": 1/],
    [["usage", "requests", "--metadata", "feature=chat"], / 429 +\$0\.0000 [\s\S]*\n1 total/],
    [["usage", "runs"], /plan +3 +\$0\.7500 +run-1\n[\s\S]*1 total/],
    [
      ["usage", "run", "run-1"],
      /3 calls, \$0\.7500 total[\s\S]* {2}plan[\s\S]* {4}tool:search[\s\S]* {6}call \(claude\)/,
    ],
    [["usage", "request", FIRST], /"total_cost": 0\.25/],
    [["usage", "request", FIRST, "--body"], /"plain text"/],
    [["keys", "create", "--name", "Cli"], /mdm_sk_/],
    [["keys", "list"], /Search +true/],
    [["metadata", "activate", "--api-key", "all", "feature"], /^activate/],
    [["metadata", "list"], /Feature +2 +true +1 +all/],
    [["metadata", "deactivate", "--api-key", "all", "feature"], /^deactivate/],
  ])("%j works", async (args, expected) => {
    expect(await run(...args)).toMatch(expected)
  })

  test("an error is shown with what to do", async () => {
    await expect(run("usage", "summary", "--status", "slow")).rejects.toThrow(/expected error or success/)
  })
})

const MCP = process.env["GO_GATEWAY_MCP"]

describe.skipIf(MCP === undefined)("gateway-mcp, whose path GO_GATEWAY_MCP names,", () => {
  test("every tool works", async () => {
    const server = spawn(MCP!, ["--api-url", url, "--token", "t"], { stdio: ["pipe", "pipe", "inherit"] })
    const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]()
    let id = 0
    const send = (message: object) => server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
    const tell = async (method: string, params: object): Promise<Answer> => {
      send({ id: ++id, method, params })
      return JSON.parse((await lines.next()).value).result
    }
    try {
      const clientInfo = { name: "test", version: "1" }
      await tell("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo })
      send({ method: "notifications/initialized" })
      const inputs = { group_by_key: "feature", trace_id: "run-1", request_id: FIRST }
      const results: Record<string, boolean> = {}
      for (const { name, inputSchema } of (await tell("tools/list", {})).tools) {
        const needed = Object.entries(inputs).filter(([field]) => field in (inputSchema.properties ?? {}))
        const { isError = false } = await tell("tools/call", { name, arguments: Object.fromEntries(needed) })
        results[name] = !isError
      }
      expect(Object.keys(results).length).toBeGreaterThan(10)
      expect(Object.keys(results).filter((name) => !results[name])).toEqual(NOT_COVERED)
    } finally {
      server.kill()
    }
  })
})
