import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ROUTES } from "../../src/api/routes/index.ts"
import { insertRows } from "../support/usage-rows.ts"
import { type AdminApi, startAdminApi } from "./_api.ts"

let admin: AdminApi
beforeAll(async () => {
  admin = await startAdminApi()
})
afterAll(() => admin.close())

describe("an admin token", () => {
  test("is shown once, and only its hash is stored", async () => {
    const { id, token } = await admin.createToken("viewer")
    expect(token).toMatch(/^mdm_admin_[\w-]{43}$/)
    const stored = await admin.database.query(
      "SELECT to_jsonb(t)::text AS row FROM majordomo_admin_tokens t UNION ALL SELECT to_jsonb(a)::text FROM llm_audit a",
    )
    expect(JSON.stringify(stored.rows)).not.toContain(token)
    const listed = await (await admin.ask("/tokens", token)).json()
    expect(listed).toContainEqual(expect.objectContaining({ id, role: "viewer", status: "active", created_by: "root" }))
    expect(JSON.stringify(listed)).not.toContain(token)
  })

  test("is rejected from the moment on which it is revoked", async () => {
    const boss = await admin.createToken("admin")
    const { id, token } = await admin.createToken("viewer")
    expect((await admin.ask("/keys", token)).status).toBe(200)
    const revoked = await admin.ask(`/tokens/${id}`, boss.token, "DELETE")
    expect(await revoked.json()).toMatchObject({ id, status: "revoked", was_revoked_before: false })
    expect((await admin.ask("/keys", token)).status).toBe(401)
    expect(await (await admin.ask(`/tokens/${id}`, boss.token, "DELETE")).json()).toMatchObject({
      was_revoked_before: true,
    })
  })

  test("is rejected when it has expired", async () => {
    const { id, token } = await admin.createToken("viewer", "1d")
    expect((await admin.ask("/keys", token)).status).toBe(200)
    await admin.database.query({
      text: "UPDATE majordomo_admin_tokens SET expires_at = now() WHERE id = $1",
      values: [id],
    })
    expect((await admin.ask("/keys", token)).status).toBe(401)
  })

  test.each(["", "mdm_admin_", `mdm_admin_${"a".repeat(43)}`, "mdm_sk_x", "\u00e9"])("%j is none", async (text) => {
    const response = await admin.ask("/keys", text)
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"])
  })
})

describe("admin.token", () => {
  test("has the role admin, and everything that only resembles it has none", async () => {
    const token = "the-token-of-the-go-gateway"
    const own = await startAdminApi({ ADMIN_TOKEN: token })
    expect((await own.ask("/tokens", token)).status).toBe(200)
    for (const other of [`${token}x`, token.slice(1), token.toUpperCase()]) {
      expect((await own.ask("/keys", other)).status).toBe(401)
    }
    await own.close()
  })
})

describe("an API key", () => {
  test("reads its own usage and its rules with X-Majordomo-Key, and nothing else", async () => {
    const boss = await admin.createToken("admin")
    const make = async (name: string) => {
      const response = await fetch(`${admin.url}/api/v1/keys`, {
        method: "POST",
        headers: { Authorization: `Bearer ${boss.token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ name, required_metadata: ["Feature"] }),
      })
      return (await response.json()) as { id: string; key: string }
    }
    const [mine, other] = [await make("Mine"), await make("Other")]
    const client = { query: (text: string, values?: unknown[]) => admin.database.query({ text, values }) }
    await insertRows(
      client as never,
      [mine, other, other].map(({ id }) => ({ key: id, input: 1, output: 1, cost: "1" })),
    )
    const ask = (path: string, key: string) =>
      fetch(`${admin.url}/api/v1${path}`, { headers: { "X-Majordomo-Key": key } })
    const own = await ask("/me/usage?by=key&tz=UTC", mine.key)
    expect(own.status).toBe(200)
    expect(await own.json()).toMatchObject({ rows: [{ key_id: mine.id, requests: 1 }], total: { requests: 1 } })
    const empty = (await (await ask("/me/usage?until=2020-01-01&since=2020-01-01", mine.key)).json()) as object
    expect(empty).not.toHaveProperty("empty") // it would tell about the requests of other keys
    expect(await (await ask("/me/key", mine.key)).json()).toEqual({
      id: mine.id,
      name: "Mine",
      default_metadata: {},
      locked_metadata: {},
      required_metadata: ["Feature"],
      expires_at: null,
      models: null,
      providers: null,
    })
    expect((await ask("/me/key", "mdm_sk_x")).status).toBe(401)
    expect((await ask(`/me/usage?key=${other.id}`, mine.key)).status).toBe(400)
    for (const key of ["", "mdm_sk_x", boss.token]) expect((await ask("/me/usage", key)).status).toBe(401)
    for (const path of ["/usage", "/keys", "/me", "/requests"])
      expect((await ask(path, mine.key)).status, path).toBe(401)
  })
})

describe("every route", () => {
  const fill = (path: string) => path.replace(/\{\w+\}/g, crypto.randomUUID())
  const RANK = ["viewer", "auditor", "admin"] as const

  test.each(
    ROUTES.flatMap(({ name, method, path, role }) => (role === "public" ? [] : [[name, method, path, role] as const])),
  )("%s needs credentials, and the role that it names", async (_, method, path, role) => {
    expect((await admin.ask(fill(path), undefined, method)).status).toBe(401)
    for (const lower of RANK.slice(0, RANK.indexOf(role))) {
      const { token } = await admin.createToken(lower)
      const response = await admin.ask(fill(path), token, method)
      expect([response.status, await response.json()]).toMatchObject([403, { code: "forbidden" }])
    }
  })
})

test("what was done with tokens is in the audit log, with who did it", async () => {
  const boss = await admin.createToken("admin")
  const { id } = await admin.createToken("auditor")
  await admin.ask(`/tokens/${id}`, boss.token, "DELETE")
  const { rows } = await admin.database.query({
    text: "SELECT actor_kind, actor_name, actor_id, address, action, after FROM llm_audit WHERE target = $1 ORDER BY at",
    values: [id],
  })
  expect(rows).toMatchObject([
    {
      actor_kind: "command",
      actor_name: "root",
      action: "tokens.create",
      after: { role: "auditor", status: "active" },
    },
    { actor_kind: "token", actor_name: "admin", actor_id: boss.id, address: "127.0.0.1", action: "tokens.revoke" },
  ])
})
