import type { Client } from "@modelcontextprotocol/client"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { TOOLS } from "../../src/mcp/tools/index.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aReconciliation, insertReconciliation } from "../support/reconciliations.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"
import { ask, askInVain, connectOverHttp, connectOverStdio } from "./_client.ts"

const ID = "01900000-0000-7000-8000-000000000001"
const CERTIFICATE = {
  lines: [
    {
      side: "input",
      bucket: "input",
      model: "gpt-4o-mini",
      quantity: "1000000",
      rate: "0.15",
      per: "million",
      factor: "1",
      amount: "0.15",
      source: "genai-prices",
      date: "2026-11-01",
    },
  ],
}

let installation: Installation
let gateway: RunningGateway
let token: string
let here: Client & { readMessages(): string }
let afar: Client & { readMessages(): string }
let http: Client

beforeAll(async () => {
  const { url } = await createTestDatabase()
  installation = createInstallation({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "", TZ: "UTC" })
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const search = await insertKey(client, "Search")
  const chat = await insertKey(client, "Chat")
  const at = new Date(Date.now() - 86_400_000).toISOString()
  const row = { at, key: search, model: "gpt-4o-mini", metadata: { Feature: "search", "Trace-Id": "t1" } }
  await insertRows(client, [
    { ...row, id: ID, input: 1_000_000, cost: "0.15", sides: ["0.15", "0"], price: CERTIFICATE },
    { ...row, key: chat, model: "gpt-5", cost: "2.5", metadata: { Feature: "chat", "Session-Id": "s1" } },
    { ...row, model: "gpt-9", cost: null, status: "unpriced", metadata: { Feature: "chat" } },
    {
      ...row,
      cost: "0",
      code: 500,
      status: "free",
      metadata: { Feature: "search", "Span-Path": "a/b", "Trace-Id": "t1" },
    },
  ])
  await insertReconciliation(client, aReconciliation())
  await client.end()
  const created = await installation.runJson(["tokens", "create", "--name", "assistant", "--role", "viewer"])
  token = (created as { token: string }).token
  const limit = ["limits", "create", "month", "--measure", "cost", "--amount", "50", "--window", "month"]
  await installation.runJson(limit)
  gateway = await installation.serve()
  const env = await installation.environment()
  here = await connectOverStdio(env)
  afar = await connectOverStdio(
    { ...env, DATABASE_URL: "", MAJORDOMO_ADMIN_TOKEN: token },
    { args: ["--gateway", gateway.origin] },
  )
  http = await connectOverHttp(gateway.origin, { Authorization: `Bearer ${token}` })
})

afterAll(async () => {
  for (const client of [here, afar, http]) await client?.close()
  await installation?.remove()
})

const clients = () => ({ here, afar, http })
const names = ["here", "afar", "http"] as const

/** The tools, each with the shortest arguments that make it answer. */
const CALLS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  usage_summary: { compare: "previous" },
  usage_report: { by: "day,model" },
  usage_by_model: {},
  usage_by_provider: {},
  usage_by_api_key: {},
  usage_by_metadata: { name: "Feature" },
  latency_stats: { by: "model" },
  error_summary: { by: "model" },
  list_requests: {},
  recent_errors: {},
  get_request: { id: ID },
  explain_request: { id: ID },
  list_runs: {},
  get_run_tree: { trace: "t1" },
  forecast: {},
  limits: {},
  reconcile: {},
  what_if: { model: "gpt-4o-mini=gpt-5" },
  list_metadata_keys: {},
  list_api_keys: {},
  model_price: { model: "gpt-4o-mini" },
  unpriced_models: {},
  gateway_status: {},
}

describe.each(names)("the tools, asked %s", (name) => {
  test("each one answers in the shape of its schema, with a readable text and the same answer as JSON", async () => {
    const client = clients()[name]
    // The client checks each structured answer by the output schema of its tool.
    const { tools } = await client.listTools()
    expect(tools.map((tool) => tool.name).filter((tool) => tool !== "get_request_body")).toEqual(Object.keys(CALLS))
    for (const [tool, given] of Object.entries(CALLS)) {
      const { content, structuredContent, isError } = await client.callTool({ name: tool, arguments: { ...given } })
      const [readable, json] = content as { text: string }[]
      expect([tool, isError, readable!.text], readable!.text).toEqual([
        tool,
        undefined,
        expect.stringMatching(/\w+.*\./),
      ])
      expect(JSON.parse(json!.text)).toEqual(structuredContent)
    }
  })

  test("they only read, and say so", async () => {
    const { tools } = await clients()[name].listTools()
    for (const { annotations, description } of tools) {
      expect(annotations).toMatchObject({ readOnlyHint: true, destructiveHint: false })
      expect(description!.length).toBeGreaterThan(80)
    }
  })

  test("their numbers are those of the command line", async () => {
    const client = clients()[name]
    const run = (...args: string[]) => installation.runJson(args) as Promise<Record<string, unknown>>
    const summary = await run("usage")
    expect(await ask(client, "usage_summary")).toMatchObject({ total: summary["total"] })
    const report = await run("usage", "--by", "Feature")
    expect(await ask(client, "usage_by_metadata", { name: "Feature" })).toMatchObject({
      rows: report["rows"],
      total: report["total"],
      next: null,
    })
    const { explanation } = await run("usage", "request", ID, "--explain")
    expect(await ask(client, "explain_request", { id: ID })).toMatchObject({ explanation, total_cost: "0.15" })
    expect(await ask(client, "list_runs")).toMatchObject({ runs: await run("usage", "runs") })
    expect(await ask(client, "get_run_tree", { trace: "t1" })).toMatchObject(await run("usage", "run", "t1"))
    expect(await ask(client, "limits")).toMatchObject({ limits: await run("limits", "list") })
    const { providers } = (await run("reconcile", "history")) as { providers: object[] }
    expect(await ask(client, "reconcile")).toMatchObject({
      providers: providers.map((each) => ({ ...each, days: [] })),
    })
  })

  test("an error is an answer that says what to do", async () => {
    const client = clients()[name]
    expect(await askInVain(client, "usage_report", { by: "modle" })).toContain("by: expected")
    expect(await askInVain(client, "usage_by_metadata", { name: "Nothing" })).toMatch(/^name: .*Nothing/)
    expect(await askInVain(client, "usage_by_model", { by: "key" })).toBe("by: there is no such parameter")
    expect(await askInVain(client, "usage_by_model", { nonsense: 1 })).toBe("nonsense: there is no such parameter")
    expect(await askInVain(client, "usage_by_model", { constructor: 1 })).toBe(
      "constructor: there is no such parameter",
    )
    expect(await askInVain(client, "list_requests", { limit: 1000 })).toBe(
      "limit: expected a whole number from 1 to 100",
    )
    expect(await askInVain(client, "list_requests", { cursor: "x" })).toMatch(/^cursor: expected/)
    expect(await askInVain(client, "usage_report", { cursor: "x" })).toMatch(/^cursor: expected/)
    expect(await askInVain(client, "get_request", { id: crypto.randomUUID() })).toMatch(/no request/)
    await expect(client.callTool({ name: "delete_everything", arguments: {} })).rejects.toThrow("there is no tool")
  })

  test("a long answer has pages", async () => {
    const client = clients()[name]
    const ids: unknown[] = []
    let cursor: string | undefined
    do {
      const page = await ask<{ items: { id: string }[]; next: string | null }>(client, "list_requests", {
        limit: 3,
        cursor,
      })
      ids.push(...page.items.map(({ id }) => id))
      cursor = page.next ?? undefined
    } while (cursor !== undefined)
    expect([ids.length, new Set(ids).size]).toEqual([4, 4])
    const first = await ask(client, "usage_by_model", { limit: 2 })
    expect(first).toMatchObject({ rows: [{ model: "gpt-5" }, {}], groups: 3, next: "2" })
    expect(await ask(client, "usage_by_model", { limit: 2, cursor: first["next"] })).toMatchObject({
      rows: [{}],
      next: null,
    })
    expect(await ask(client, "get_run_tree", { trace: "t1", limit: 1, cursor: "1" })).toMatchObject({
      requests: 2,
      steps: [],
      spans: [{ name: "a", spans: [{ name: "b", steps: [{ status_code: 500 }] }] }],
      next: null,
    })
  })
})

test("each tool is a route that only reads, and needs no more than the role auditor", () => {
  for (const { name, route } of TOOLS)
    expect([name, route.method, route.role]).toEqual([name, "GET", expect.not.stringMatching("admin")])
})

test("an input that a model leaves empty counts as not given", async () => {
  expect(await ask(http, "usage_summary", { model: null, key: "" })).toMatchObject({ total: { requests: 4 } })
})

test("explain_request says the certificate in words", async () => {
  const { content } = await http.callTool({ name: "explain_request", arguments: { id: ID } })
  expect((content[0] as { text: string }).text.split("\n")).toEqual([
    `Request ${ID} to "openai", model "gpt-4o-mini": status 200, $0.15 (exact).`,
    "input: 1000000 × $0.15 per 1,000,000 = $0.15 (genai-prices, 2026-11-01)",
    "Sum of the lines: $0.15.",
  ])
})

describe("the roles", () => {
  test("a viewer is not offered the bodies, and is told which role they need; an auditor gets them", async () => {
    const listed = (await http.listTools()).tools.map(({ name }) => name)
    expect(listed).not.toContain("get_request_body")
    for (const client of [http, afar]) {
      expect(await askInVain(client, "get_request_body", { id: ID })).toContain("the role auditor")
    }
    const created = await installation.runJson(["tokens", "create", "--name", "auditor", "--role", "auditor"])
    const headers = { Authorization: `Bearer ${(created as { token: string }).token}` }
    const auditor = await connectOverHttp(gateway.origin, headers)
    expect((await auditor.listTools()).tools.map(({ name }) => name)).toContain("get_request_body")
    expect(await ask(auditor, "get_request_body", { id: ID })).toMatchObject({ bodies_from: "none", next: null })
    await auditor.close()
  })
})

describe("over stdio", () => {
  test("a client of the newest protocol version is answered, too", async () => {
    const client = await connectOverStdio(await installation.environment(), { mode: "auto" })
    expect(client.getProtocolEra()).toBe("modern")
    expect(await ask(client, "usage_summary")).toMatchObject({ total: { requests: 4 } })
    await client.close()
  })

  test("a wrong token, and a gateway that does not answer, are errors of each call", async () => {
    const env = await installation.environment({ DATABASE_URL: "", MAJORDOMO_ADMIN_TOKEN: "wrong" })
    const wrong = await connectOverStdio(env, { args: ["--gateway", gateway.origin] })
    expect(await askInVain(wrong, "usage_summary")).toContain("does not accept this admin token")
    await wrong.close()
    const nobody = await connectOverStdio(env, { args: ["--gateway", "http://127.0.0.1:1"] })
    expect(await askInVain(nobody, "usage_summary")).toContain("http://127.0.0.1:1")
    await nobody.close()
  })

  test("several calls at once are all answered", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(here, "usage_summary")))
    expect(answers.map((answer) => answer["total"])).toEqual(Array(5).fill(answers[0]!["total"]))
  })

  test("stdout has the protocol and nothing else, and the command ends with its stdin", async () => {
    const message = { jsonrpc: "2.0", id: 1, method: "ping" }
    const { code, stdout, stderr } = await installation.run(["mcp"], {}, `${JSON.stringify(message)}\n`)
    expect([code, stderr]).toEqual([0, ""])
    for (const line of stdout.split("\n").filter((text) => text !== ""))
      expect(JSON.parse(line)).toHaveProperty("jsonrpc")
  })

  test("the prompt for the review of a month names tools that there are", async () => {
    const { prompts } = await here.listPrompts()
    expect(prompts.map(({ name }) => name)).toEqual(["monthly_cost_review"])
    const { messages } = await here.getPrompt({ name: "monthly_cost_review", arguments: { month: "2026-10" } })
    const { text } = messages[0]!.content as { text: string }
    expect(text).toContain('month="2026-10"')
    for (const [name] of text.matchAll(/\b[a-z]+_[a-z_]+\b/g)) expect(Object.keys(CALLS)).toContain(name)
  })
})

describe("over streamable HTTP", () => {
  const call = (headers: Record<string, string>, method = "POST") =>
    fetch(`${gateway.origin}/mcp`, {
      method,
      headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream", ...headers },
      ...(method === "POST" && { body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }) }),
    })

  test("a client of the newest protocol version is answered, too", async () => {
    const client = await connectOverHttp(gateway.origin, { Authorization: `Bearer ${token}` }, { mode: "auto" })
    expect(client.getProtocolEra()).toBe("modern")
    expect(await ask(client, "usage_summary")).toMatchObject({ total: { requests: 4 } })
    await client.close()
  })

  test("without a valid admin token the answer is 401, and an API key is none", async () => {
    const { key } = (await installation.runJson(["keys", "create", "--name", "client"])) as { key: string }
    for (const headers of [
      {},
      { Authorization: "Bearer wrong" },
      { Authorization: `Bearer ${key}` },
      { "X-Majordomo-Key": key },
    ]) {
      const response = await call(headers as Record<string, string>)
      expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"])
      expect(await response.json()).toMatchObject({ code: "unauthenticated" })
    }
  })

  test("a page of another origin is rejected, also with a token", async () => {
    const response = await call({ Authorization: `Bearer ${token}`, Origin: "https://evil.example" })
    expect([response.status, await response.json()]).toEqual([403, expect.objectContaining({ code: "forbidden" })])
    expect((await call({ Authorization: `Bearer ${token}`, Origin: gateway.origin })).status).toBe(200)
  })

  test("there are no sessions: a request needs no other one before it, and GET is not allowed", async () => {
    const response = await call({ Authorization: `Bearer ${token}` })
    expect([response.status, response.headers.get("mcp-session-id")]).toEqual([200, null])
    expect((await call({ Authorization: `Bearer ${token}` }, "GET")).status).toBe(405)
  })

  test("a request that is no JSON, or too large, is rejected", async () => {
    const send = (body: string, type = "application/json") =>
      fetch(`${gateway.origin}/mcp`, {
        method: "POST",
        headers: {
          "Content-Type": type,
          Accept: "application/json, text/event-stream",
          Authorization: `Bearer ${token}`,
        },
        body,
      })
    expect((await send("{")).status).toBe(400)
    expect((await send("{}", "text/plain")).status).toBe(415)
    expect((await send(JSON.stringify({ a: "x".repeat(1024 * 1024) }))).status).toBe(413)
  })
})
