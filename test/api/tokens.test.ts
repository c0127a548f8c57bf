import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { ROUTES } from "../../src/api/routes/index.ts"
import { tokens } from "../../src/api/routes/tokens.ts"
import type { Role } from "../../src/core/actor.ts"
import type { Database } from "../../src/operations/context.ts"
import { connectToDatabase } from "../../src/operations/open/database.ts"
import { openApi } from "../../src/server/api.ts"
import { createApp } from "../../src/server/app.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { createTestDatabase } from "../support/postgres.ts"

let database: Database
let api: ReturnType<typeof openApi>
let server: Server
let url: string
let createToken: (role: Role, expires?: string) => Promise<{ id: string; token: string }>

beforeAll(async () => {
  const env = { DATABASE_URL: (await createTestDatabase()).url }
  const { settings } = await loadSettings({ cwd: tmpdir(), env })
  database = await connectToDatabase(settings)
  api = openApi({ settings, log: () => {}, prices: undefined as never })
  const probe = { metrics: async () => "", check: async () => ({ error: undefined, warnings: [] }), api: api.handle }
  const policy = { host: "127.0.0.1", allowedHosts: [], corsOrigins: [], metricsToken: undefined }
  server = createServer(createApp(undefined as never, probe, policy))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const actor = { kind: "command", name: "test", role: "admin", id: null, address: null } as const
  const { signal } = new AbortController()
  const caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  createToken = (role, expires) => callLocally(tokens.create, caller, { name: role, role, expires })
})

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await api.close()
  await database.close()
})

const ask = (path: string, token?: string, method = "GET") =>
  fetch(`${url}/api/v1${path}`, { method, ...(token && { headers: { Authorization: `Bearer ${token}` } }) })

describe("an admin token", () => {
  test("is shown once, and only its hash is stored", async () => {
    const { id, token } = await createToken("viewer")
    expect(token).toMatch(/^mdm_admin_[\w-]{43}$/)
    const stored = await database.query(
      "SELECT to_jsonb(t)::text AS row FROM majordomo_admin_tokens t UNION ALL SELECT to_jsonb(a)::text FROM llm_audit a",
    )
    expect(JSON.stringify(stored.rows)).not.toContain(token)
    const listed = await (await ask("/tokens", token)).json()
    expect(listed).toContainEqual(expect.objectContaining({ id, role: "viewer", status: "active", created_by: "test" }))
    expect(JSON.stringify(listed)).not.toContain(token)
  })

  test("is rejected from the moment on which it is revoked", async () => {
    const admin = await createToken("admin")
    const { id, token } = await createToken("viewer")
    expect((await ask("/keys", token)).status).toBe(200)
    const revoked = await ask(`/tokens/${id}`, admin.token, "DELETE")
    expect(await revoked.json()).toMatchObject({ id, status: "revoked", was_revoked_before: false })
    expect((await ask("/keys", token)).status).toBe(401)
    expect(await (await ask(`/tokens/${id}`, admin.token, "DELETE")).json()).toMatchObject({ was_revoked_before: true })
  })

  test("is rejected when it has expired", async () => {
    const { id, token } = await createToken("viewer", "1d")
    expect((await ask("/keys", token)).status).toBe(200)
    await database.query({
      text: "UPDATE majordomo_admin_tokens SET expires_at = now() WHERE id = $1",
      values: [id],
    })
    expect((await ask("/keys", token)).status).toBe(401)
  })

  test.each(["", "mdm_admin_", `mdm_admin_${"a".repeat(43)}`, "mdm_sk_x", "\u00e9"])("%j is none", async (text) => {
    const response = await ask("/keys", text)
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"])
  })
})

describe("every route", () => {
  const fill = (path: string) => path.replace(/\{\w+\}/g, crypto.randomUUID())
  const RANK = ["viewer", "auditor", "admin"] as const

  test.each(ROUTES.map((route) => [route.name, route] as const))(
    "%s needs credentials, and the role that it names",
    async (_, { method, path, role }) => {
      expect((await ask(fill(path), undefined, method)).status).toBe(401)
      for (const lower of RANK.slice(0, RANK.indexOf(role))) {
        const { token } = await createToken(lower)
        const response = await ask(fill(path), token, method)
        expect([response.status, await response.json()]).toMatchObject([403, { code: "forbidden" }])
      }
    },
  )
})

test("what was done with tokens is in the audit log, with who did it", async () => {
  const admin = await createToken("admin")
  const { id } = await createToken("auditor")
  await ask(`/tokens/${id}`, admin.token, "DELETE")
  const { rows } = await database.query({
    text: "SELECT actor_kind, actor_name, actor_id, address, action, after FROM llm_audit WHERE target = $1 ORDER BY at",
    values: [id],
  })
  expect(rows).toMatchObject([
    {
      actor_kind: "command",
      actor_name: "test",
      action: "tokens.create",
      after: { role: "auditor", status: "active" },
    },
    { actor_kind: "token", actor_name: "admin", actor_id: admin.id, address: "127.0.0.1", action: "tokens.revoke" },
  ])
})
