import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ROUTES } from "../../src/api/routes/index.ts"
import { type AdminApi, startAdminApi } from "./_api.ts"

let admin: AdminApi
beforeAll(async () => {
  admin = await startAdminApi({ MAJORDOMO_ADMIN_HOSTS: "gateway.example.com" })
})
afterAll(() => admin.close())

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${admin.url}/api/v1${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  })
const cookieOf = (response: Response) => response.headers.get("set-cookie")!.split(";", 1)[0]!
const get = (path: string, cookie: string) => fetch(`${admin.url}/api/v1${path}`, { headers: { Cookie: cookie } })

async function signIn(proof: object) {
  const response = await post("/sessions", proof)
  const body = (await response.json()) as {
    id: string
    csrf_token: string
    role: string
    name: string
    expires_at: string
  }
  return { response, cookie: cookieOf(response), ...body }
}
const asToken = async (role: "viewer" | "auditor" | "admin" = "admin", expires?: string) => {
  const created = await admin.createToken(role, expires)
  return { created, ...(await signIn({ token: created.token })) }
}

describe("signing in", () => {
  test("with an admin token gives a session of its role, in a cookie that no script can read", async () => {
    const { response, cookie, role, name, csrf_token, expires_at } = await asToken("auditor")
    expect([response.status, role, name]).toEqual([201, "auditor", "auditor"])
    expect(response.headers.get("set-cookie")).toMatch(
      /^majordomo_session=[\w-]{43}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=4\d{4}$/,
    )
    expect(Date.parse(expires_at) - Date.now()).toBeLessThanOrEqual(12 * 3_600_000)
    expect(await (await get("/session", cookie)).json()).toMatchObject({ role, name, csrf_token, expires_at })
    expect((await get("/keys", cookie)).status).toBe(200)
  })

  test("sends the cookie by HTTPS only, if a proxy in front says that the browser uses HTTPS", async () => {
    const { token } = await admin.createToken("viewer")
    const response = await post("/sessions", { token }, { "X-Forwarded-Proto": "https" })
    expect(response.headers.get("set-cookie")).toMatch(/; Secure$/)
  })

  test("stores neither the secret of the session nor its CSRF token", async () => {
    const { cookie, csrf_token } = await asToken()
    const { rows } = await admin.database.query("SELECT to_jsonb(s)::text AS row FROM majordomo_sessions s")
    for (const secret of [...cookie.slice("majordomo_session=".length).split("."), csrf_token]) {
      expect(JSON.stringify(rows)).not.toContain(secret)
    }
  })

  test("with a code works once", async () => {
    const { code } = await admin.createCode()
    const [one, other] = await Promise.all([post("/sessions", { code }), post("/sessions", { code })])
    expect([one.status, other.status].sort()).toEqual([201, 401])
    const winner = one.status === 201 ? one : other
    expect(await winner.json()).toMatchObject({ role: "admin", name: "root" })
    expect((await post("/sessions", { code })).status).toBe(401)
  })

  test("with a code that is older than a minute is rejected", async () => {
    const { code, expires_at } = await admin.createCode()
    expect(Date.parse(expires_at) - Date.now()).toBeLessThanOrEqual(60_000)
    await admin.database.query("UPDATE majordomo_sign_in_codes SET expires_at = now()")
    expect((await post("/sessions", { code })).status).toBe(401)
  })

  test("gives a new session each time, whatever cookie the browser sent", async () => {
    const { created, cookie } = await asToken()
    const again = await post("/sessions", { token: created.token }, { Cookie: cookie })
    expect(cookieOf(again)).not.toBe(cookie)
    const planted = `majordomo_session=${"a".repeat(43)}.${"b".repeat(43)}`
    expect(cookieOf(await post("/sessions", { token: created.token }, { Cookie: planted }))).not.toContain("aaaa")
  })

  test("from a page of another origin is rejected", async () => {
    const { token } = await admin.createToken("admin")
    expect((await post("/sessions", { token }, { Origin: "https://evil.example" })).status).toBe(403)
    expect((await post("/sessions", { token }, { "Sec-Fetch-Site": "cross-site" })).status).toBe(403)
    const own = { Origin: admin.url, "Sec-Fetch-Site": "same-origin" }
    expect((await post("/sessions", { token }, own)).status).toBe(201)
  })
})

describe("a session", () => {
  test("changes nothing without its CSRF token, whatever route", async () => {
    const { cookie, csrf_token } = await asToken()
    const other = await asToken()
    const forbidden: Record<string, string>[] = [{}, { "X-CSRF-Token": "" }, { "X-CSRF-Token": other.csrf_token }]
    const foreign = { "X-CSRF-Token": csrf_token, Origin: "https://evil.example" }
    for (const headers of [...forbidden, foreign]) {
      expect((await post("/keys", { name: "x" }, { Cookie: cookie, ...headers })).status).toBe(403)
    }
    expect((await post("/keys", { name: "x" }, { Cookie: cookie, "X-CSRF-Token": csrf_token })).status).toBe(200)
    const changing = ROUTES.filter(({ method, role }) => method !== "GET" && role !== "public")
    for (const { name, method, path } of changing) {
      const address = `${admin.url}/api/v1${path.replace(/\{\w+\}/g, crypto.randomUUID())}`
      const { status } = await fetch(address, { method, headers: { Cookie: cookie } })
      expect([name, status]).toEqual([name, 403])
    }
  })

  test("may do no more than its role", async () => {
    const { cookie, csrf_token } = await asToken("viewer")
    const response = await post("/keys", { name: "x" }, { Cookie: cookie, "X-CSRF-Token": csrf_token })
    expect(response.status).toBe(403)
  })

  test("with a forged cookie is rejected", async () => {
    const { cookie } = await asToken()
    const [secret, signature] = cookie.slice("majordomo_session=".length).split(".") as [string, string]
    const flipped = `${secret[0] === "A" ? "B" : "A"}${secret.slice(1)}`
    for (const value of [`${flipped}.${signature}`, `${secret}.${flipped}`, secret, `${secret}.`, ""]) {
      expect((await get("/keys", `majordomo_session=${value}`)).status).toBe(401)
    }
  })

  test("ends when its token is revoked", async () => {
    const { created, cookie } = await asToken()
    const boss = await admin.createToken("admin")
    expect((await get("/keys", cookie)).status).toBe(200)
    expect((await admin.ask(`/tokens/${created.id}`, boss.token, "DELETE")).status).toBe(200)
    expect((await get("/keys", cookie)).status).toBe(401)
  })

  test("ends when its token expires, although it was to last longer", async () => {
    const { created, cookie } = await asToken("admin", "1d")
    const expire = "UPDATE majordomo_admin_tokens SET expires_at = now() WHERE id = $1"
    await admin.database.query({ text: expire, values: [created.id] })
    expect((await get("/keys", cookie)).status).toBe(401)
  })

  test("ends after twelve hours", async () => {
    const { id, cookie } = await asToken()
    await admin.database.query({ text: "UPDATE majordomo_sessions SET expires_at = now() WHERE id = $1", values: [id] })
    expect((await get("/keys", cookie)).status).toBe(401)
  })

  test("ends when the person signs out, and when an admin ends it", async () => {
    const { cookie, csrf_token } = await asToken("viewer")
    const headers = { Cookie: cookie, "X-CSRF-Token": csrf_token }
    const out = await fetch(`${admin.url}/api/v1/session`, { method: "DELETE", headers })
    expect([out.status, out.headers.get("set-cookie")]).toMatchObject([200, /^majordomo_session=; .*Max-Age=0/])
    expect((await get("/session", cookie)).status).toBe(401)

    const other = await asToken("viewer")
    const boss = await admin.createToken("admin")
    expect((await admin.ask(`/sessions/${other.id}`, boss.token, "DELETE")).status).toBe(200)
    expect((await get("/keys", other.cookie)).status).toBe(401)
  })
})

describe("the Host of a request", () => {
  const askAs = async (host: string, path = "/api/v1/sign-in") => {
    const socket = connect(Number(new URL(admin.url).port), "127.0.0.1")
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    return Number((await text(socket)).slice(9, 12))
  }

  test.each(["evil.example", "evil.example:7680", "127.0.0.1.evil.example", "localhost.evil.example"])(
    "that names %s is rejected by the API and the dashboard, so that DNS rebinding fails",
    async (host) => {
      expect(await askAs(host)).toBe(403)
      expect(await askAs(host, "/dashboard/")).toBe(403)
    },
  )

  test.each(["127.0.0.1", "localhost:7680", "[::1]", "GATEWAY.example.com:443"])("may be %s", async (host) => {
    expect(await askAs(host)).toBe(200)
  })
})

test("too many failed attempts to sign in get 429 for a while, also with a right token, but tokens go on working", async () => {
  const limited = await startAdminApi()
  try {
    const attempt = (token: string) =>
      fetch(`${limited.url}/api/v1/sessions`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token }),
      })
    const statuses = []
    for (let i = 0; i < 12; i++) statuses.push((await attempt(`mdm_admin_${"x".repeat(43)}`)).status)
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429])
    const { token } = await limited.createToken("admin")
    const rejected = await attempt(token)
    expect([rejected.status, Number(rejected.headers.get("retry-after")) <= 60]).toEqual([429, true])
    expect((await limited.ask("/me", token)).status).toBe(200)
    const { rows } = await limited.database.query("SELECT address FROM llm_audit WHERE action = 'sessions.reject'")
    expect(rows).toEqual(Array(10).fill({ address: "127.0.0.1" }))
  } finally {
    await limited.close()
  }
})
