import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { Validator } from "@seriousme/openapi-schema-validator"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { callRemotely } from "../../src/api/remote.ts"
import { keys } from "../../src/api/routes/keys.ts"
import { openApi } from "../../src/server/api.ts"
import { createApp } from "../../src/server/app.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { createTestDatabase } from "../support/postgres.ts"

let api: ReturnType<typeof openApi>
let server: Server
let url: string
const bugs: string[] = []

beforeAll(async () => {
  const database = await createTestDatabase()
  const { settings } = await loadSettings({ cwd: tmpdir(), env: { DATABASE_URL: database.url } })
  api = openApi({
    settings,
    log: (_level, line) => void bugs.push(line),
    prices: undefined as never,
    authenticate: async () => ({ actor: { kind: "token", name: "test", role: "admin", id: null, address: null } }),
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
})

const ask = (path: string, init?: RequestInit) => fetch(`${url}/api/v1${path}`, init)
const post = (path: string, body: unknown, method = "POST") =>
  ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })
const listener = { log: () => {}, onProgress: () => {}, signal: new AbortController().signal }

describe("the admin API", () => {
  test("a route answers with the JSON that the command prints", async () => {
    const created = await post("/keys", { name: "Search" })
    expect(created.status).toBe(200)
    const key = (await created.json()) as { id: string; key: string; name: string }
    expect(key).toMatchObject({ name: "Search", status: "active", key: expect.stringMatching(/^mdm_sk_/) })
    const listed = (await (await ask("/keys")).json()) as { id: string }[]
    expect(listed).toContainEqual(expect.objectContaining({ id: key.id }))
    expect(JSON.stringify(listed)).not.toContain(key.key)
  })

  test("a command from afar gets the same output, and the same error", async () => {
    const created = (await callRemotely(keys.create, { url, token: "t" }, { name: "Afar" }, listener)) as { id: string }
    expect(await callRemotely(keys.get, { url, token: "t" }, { id: created.id }, listener)).toMatchObject({
      name: "Afar",
    })
    const missing = callRemotely(keys.get, { url, token: "t" }, { id: crypto.randomUUID() }, listener)
    await expect(missing).rejects.toThrow(/^there is no API key with the id/)
  })

  test.each([
    ["GET", "/nothing", undefined, 404, "not_found"],
    ["DELETE", "/keys", undefined, 405, "method_not_allowed"],
    ["POST", "/keys", {}, 400, "invalid_input"],
    ["POST", "/keys", { name: "" }, 422, "rejected"],
    ["POST", "/keys", { name: "a", colour: 1 }, 400, "invalid_input"],
    ["POST", "/keys", [], 400, "invalid_input"],
    ["GET", "/keys/%zz", undefined, 400, "invalid_input"],
    ["GET", "/usage?since=yesterdayish", undefined, 400, "invalid_input"],
    ["GET", "/usage?by=modle", undefined, 400, "invalid_input"],
    ["GET", "/usage?limit=0", undefined, 400, "invalid_input"],
    ["GET", "/usage?where=x&where=y", undefined, 400, "invalid_input"],
  ])("%s %s with %j is rejected with a problem that says why", async (method, path, body, status, code) => {
    const response = body === undefined ? await ask(path, { method }) : await post(path, body, method)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
    const problem = (await response.json()) as { detail: string }
    expect({ status: response.status, ...problem }).toMatchObject({ status, code })
    expect(problem.detail).toMatch(/\w/)
    expect(bugs).toEqual([])
  })

  test("a body that is no JSON is rejected, so that no form of another website can send one", async () => {
    const response = await ask("/keys", { method: "POST", body: "name=x" })
    expect(response.status).toBe(415)
  })

  test("an answer that has not changed is not sent again", async () => {
    const first = await ask("/usage?by=model&since=2026-01-01&until=2026-01-02")
    expect(first.status).toBe(200)
    const etag = first.headers.get("etag")!
    const second = await ask("/usage?by=model&since=2026-01-01&until=2026-01-02", {
      headers: { "If-None-Match": etag },
    })
    expect([second.status, await second.text()]).toEqual([304, ""])
  })

  test("with Accept: text/event-stream, the result is the last event", async () => {
    const response = await ask("/keys", { headers: { Accept: "text/event-stream" } })
    expect(response.headers.get("content-type")).toBe("text/event-stream")
    expect(await response.text()).toMatch(/^(: .*\n\n)?event: result\ndata: \{"result":\[/)
  })

  test("the OpenAPI document is valid, and describes every route", async () => {
    const document = (await (await ask("/openapi.json")).json()) as { paths: Record<string, Record<string, unknown>> }
    const { valid, errors } = await new Validator().validate(document)
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined })
    expect(document.paths["/keys/{id}"]).toHaveProperty("patch")
  })
})
