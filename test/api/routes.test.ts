import { mkdtempSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type AnyRoute, listPathParameters } from "../../src/api/_route.ts"
import { callLocally, type LocalCaller } from "../../src/api/call.ts"
import { callRemotely } from "../../src/api/remote.ts"
import { ROUTES } from "../../src/api/routes/index.ts"
import type { Settings } from "../../src/config/settings.ts"
import type { Actor } from "../../src/core/actor.ts"
import { openPrices } from "../../src/operations/open/prices.ts"
import type { PriceBook } from "../../src/pricing/price-book.ts"
import { openApi } from "../../src/server/api.ts"
import { createApp } from "../../src/server/app.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

const ACTOR: Actor = { kind: "token", name: "test", role: "admin", id: null, address: null }
const ID = "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d"
const METADATA = { "Trace-Id": "7f3a", "Span-Path": "planner/search", "User-Id": "42" }

let settings: Settings
let prices: PriceBook
let api: ReturnType<typeof openApi>
let server: Server
let url: string
let key: string
const bugs: string[] = []
const notes: string[] = []
const signal = new AbortController().signal

beforeAll(async () => {
  const database = await createTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  key = await insertKey(client, "Search")
  const row = { key, input: 100, output: 20, cost: "0.25" }
  const price = { lines: [] }
  await insertRows(client, [
    { ...row, id: ID, metadata: METADATA, price },
    { ...row, code: 500, metadata: METADATA },
    { ...row, model: "mystery", cost: null, status: "unpriced" },
  ])
  await client.query("UPDATE llm_requests SET request_body = '{\"a\":1.0}', response_body = 'data: x' WHERE id = $1", [
    ID,
  ])
  const dir = mkdtempSync(join(tmpdir(), "api-"))
  const env = { DATABASE_URL: database.url, MAJORDOMO_STORAGE_DATA_DIR: dir }
  settings = (await loadSettings({ cwd: dir, env })).settings
  prices = await openPrices({ settings, log: () => {} })
  api = openApi({
    settings,
    log: (_level, line) => void bugs.push(line),
    prices,
    authenticate: async () => ({ actor: ACTOR }),
  })
  const probe = { metrics: async () => "", check: async () => ({ error: undefined, warnings: [] }), api: api.handle }
  const policy = { host: "127.0.0.1", allowedHosts: [], corsOrigins: [], metricsToken: undefined }
  server = createServer(createApp(undefined as never, probe, policy))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await api.close()
  prices.close()
})

const listener = { log: (note: string) => void notes.push(note), onProgress: () => {}, signal }
const route = (name: string) => ROUTES.find((each) => each.name === name)!
const fromAfar = (name: string, input: Record<string, unknown>) =>
  callRemotely(route(name), { url, token: "t" }, input, listener)

/** The input of each read of a database with requests. */
const READS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["keys.list", {}],
  ["limits.list", {}],
  ["limits.list", { key: "Search" }],
  ["limits.check", { model: "gpt-4o-mini", where: { "User-Id": "42" } }],
  ["usage.report", { by: "model,key" }],
  ["usage.report", { by: "User-Id", sort: "name", limit: 1 }],
  ["usage.overview", { tz: "Asia/Kolkata" }],
  ["usage.report", { since: "2020-01-01", until: "2020-01-31" }],
  ["usage.report", { by: "model", month: "2020-01", compare: "previous" }],
  ["usage.forecast", { tz: "Asia/Kolkata" }],
  ["usage.invoice", { by: "User-Id", month: "this-month", allocate: "User-Id=(none) by requests", lines: "true" }],
  ["usage.what_if", { model: "gpt-4o*=gpt-4o" }],
  ["usage.pending", {}],
  ["usage.latency", { by: "model" }],
  ["usage.errors", { by: "day" }],
  ["requests.list", { limit: 2 }],
  ["requests.get", { id: ID }],
  ["requests.body", { id: ID }],
  ["runs.list", {}],
  ["runs.get", { trace: "7f3a" }],
  ["metadata.list", {}],
  ["prices.list", { provider: "openai" }],
  ["prices.get", { model: "gpt-4o-mini" }],
  ["prices.history", { model: "gpt-4o-mini" }],
  ["prices.unpriced", {}],
  ["reconcile.history", {}],
  ["prune", { older_than: "90d", dry_run: true }],
  ["prices.reprice", { since: "7d", dry_run: true }],
  ["verify", {}],
  ["status", {}],
]
const CHANGES: readonly (readonly [string, Record<string, unknown>])[] = [
  ["limits.create", { name: "users", measure: "cost", amount: "1", window: "total", per: "User-Id" }],
  ["limits.get", { id: "users" }],
  ["limits.values", { id: "users" }],
  ["limits.update", { id: "users", amount: 2, per: null }],
  ["limits.delete", { id: "users" }],
  ["metadata.activate", { name: "user-id" }],
  ["metadata.deactivate", { name: "User-Id" }],
]

describe("each route of the admin API, on a database with requests", () => {
  test.each([...READS, ...CHANGES])("%s %j answers with what its schema describes", async (name, input) => {
    const answer = await fromAfar(name, input)
    const { output } = route(name) as AnyRoute & { output: { parse(value: unknown): unknown } }
    expect(output.parse(answer)).toEqual(answer)
    expect(bugs).toEqual([])
  })

  test.each(READS)("%s %j is the same in a command on the database", async (name, input) => {
    const now = Date.now
    const caller: LocalCaller = { actor: ACTOR, settings, now, ...listener }
    const own = await callLocally(route(name) as never, caller, input)
    const drop = (value: unknown) =>
      JSON.parse(JSON.stringify(value), (member, each) =>
        ["until", "compared", "compared_with", "proven", "title", "checked_at", "stale_since"].includes(member)
          ? 0
          : each,
      )
    expect(drop(await fromAfar(name, input))).toEqual(drop(own))
  })

  test("a list continues with its cursor, and returns each request once", async () => {
    const ids: string[] = []
    let cursor: string | undefined
    do {
      const page = (await fromAfar("requests.list", { limit: 1, cursor })) as { items: { id: string }[]; next: string }
      ids.push(...page.items.map(({ id }) => id))
      cursor = page.next ?? undefined
    } while (cursor !== undefined)
    expect([ids.length, new Set(ids).size]).toEqual([3, 3])
  })

  test("a cursor that no page returned is rejected", async () => {
    await expect(fromAfar("requests.list", { cursor: "nonsense" })).rejects.toThrow(/^cursor: expected `next`/)
  })

  test("bodies are exported as lines that nothing has changed", async () => {
    const text = await (await fetch(`${url}/api/v1/requests/export`)).text()
    expect(text).toContain('{"a":1.0}')
    expect(text.trim().split("\n")).toHaveLength(1)
  })

  test("a viewer's routes have no bodies", async () => {
    const names = ["requests.list", "requests.get"]
    for (const name of names) {
      const answer = JSON.stringify(await fromAfar(name, name === "requests.get" ? { id: ID } : {}))
      expect(answer).not.toContain("request_body")
      expect(route(name).role).toBe("viewer")
    }
    expect([route("requests.body").role, route("requests.export").role]).toEqual(["auditor", "auditor"])
  })

  test("every parameter of a path is an input", () => {
    for (const { path, input } of ROUTES) {
      for (const name of listPathParameters(path)) expect(Object.keys(input.shape)).toContain(name)
    }
  })
})
