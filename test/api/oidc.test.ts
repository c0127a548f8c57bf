import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CLIENT, createCookieBrowser, type Person, startIdentityProvider } from "../support/identity-provider.ts"
import { type AdminApi, startAdminApi } from "./_api.ts"

let admin: AdminApi
let provider: Awaited<ReturnType<typeof startIdentityProvider>>

beforeAll(async () => {
  provider = await startIdentityProvider()
  admin = await startAdminApi({
    MAJORDOMO_ADMIN_OIDC_ISSUER: provider.issuer,
    MAJORDOMO_ADMIN_OIDC_CLIENT_ID: CLIENT.id,
    MAJORDOMO_ADMIN_OIDC_CLIENT_SECRET: CLIENT.secret,
    MAJORDOMO_ADMIN_OIDC_ALLOWED_DOMAINS: "example.com,example.org",
    MAJORDOMO_ADMIN_OIDC_ROLE_CLAIM: "groups",
  })
  provider.register(`${admin.url}/api/v1/oidc/callback`)
})
afterAll(async () => {
  await admin.close()
  await provider.close()
})

const ANN = { sub: "4711", email: "ann@Example.com", email_verified: true, groups: ["staff", "viewer", "auditor"] }
const isCallback = ({ pathname }: URL) => pathname === "/api/v1/oidc/callback"
const isDashboard = ({ pathname }: URL) => pathname === "/dashboard/"
const isAtProvider = ({ origin }: URL) => origin === provider.issuer

/** Signs in, and returns the address of the dashboard to which the browser comes. */
async function signInAs(person: Person, browser = createCookieBrowser()) {
  provider.signInAs(person)
  const end = await browser.follow(`${admin.url}/api/v1/oidc/start`, isDashboard)
  return { browser, end: end.href.slice(admin.url.length) }
}

/** Signs in until the provider sends the browser back. */
async function getCallback(browser = createCookieBrowser(), from = `${admin.url}/api/v1/oidc/start`) {
  provider.signInAs(ANN)
  return { browser, callback: await browser.follow(from, isCallback) }
}

async function getRejections() {
  const { rows } = await admin.database.query(
    "SELECT after->>'how' AS how, after->>'reason' AS reason, after->>'detail' AS detail, address FROM llm_audit WHERE action = 'sessions.reject' ORDER BY at, id",
  )
  return rows as { how: string; reason: string; detail: string; address: string }[]
}

/** Expects that a browser came back with a failure, which is in the audit log, and that it has no session. */
async function expectFailure(end: string, browser: { jar: Map<string, string> }, reason: string, detail = /./) {
  expect([end, browser.jar.has("majordomo_session")]).toEqual([`/dashboard/#oidc=${reason}`, false])
  expect((await getRejections()).at(-1)).toEqual({
    ...{ how: "oidc", reason, address: "127.0.0.1" },
    detail: expect.stringMatching(detail),
  })
}

describe("signing in at an OpenID Connect provider", () => {
  test("is offered by the sign-in page", async () => {
    expect(await (await admin.ask("/sign-in")).json()).toEqual({ oidc: true })
  })

  test("gives a session with the verified address as its name, and the highest role of the claim", async () => {
    const { browser, end } = await signInAs(ANN)
    expect(end).toBe("/dashboard/")
    expect([...browser.jar.keys()]).not.toContain("majordomo_oidc")
    const session = await (await browser.open(`${admin.url}/api/v1/session`)).json()
    expect(session).toMatchObject({ name: "ann@Example.com", role: "auditor" })
    const { token } = await admin.createToken("viewer")
    const [newest] = (await (await admin.ask("/sessions", token)).json()) as { how: string; name: string }[]
    expect(newest).toMatchObject({ how: "oidc", name: "ann@Example.com" })
  })

  test("sends a challenge, a state and a nonce, and keeps what belongs to them in a cookie of 10 minutes", async () => {
    const response = await createCookieBrowser().open(`${admin.url}/api/v1/oidc/start`)
    const address = new URL(response.headers.get("location")!)
    expect([response.status, response.headers.get("cache-control")]).toEqual([303, "no-store"])
    expect(Object.fromEntries(address.searchParams)).toEqual({
      ...{ client_id: CLIENT.id, response_type: "code", scope: "openid email profile", code_challenge_method: "S256" },
      redirect_uri: `${admin.url}/api/v1/oidc/callback`,
      ...{ state: expect.any(String), nonce: expect.any(String), code_challenge: expect.any(String) },
    })
    expect(response.headers.get("set-cookie")).toMatch(
      /^majordomo_oidc=[\w-]+\.[\w-]{43}; Path=\/api\/v1\/oidc; HttpOnly; SameSite=Lax; Max-Age=600$/,
    )
  })

  test("names the redirect URI with https, if a proxy in front says that the browser uses HTTPS", async () => {
    const headers = { "X-Forwarded-Proto": "https" }
    const response = await fetch(`${admin.url}/api/v1/oidc/start`, { redirect: "manual", headers })
    const address = new URL(response.headers.get("location")!)
    expect(address.searchParams.get("redirect_uri")).toBe(
      `${admin.url.replace("http:", "https:")}/api/v1/oidc/callback`,
    )
    expect(response.headers.get("set-cookie")).toMatch(/; Secure$/)
  })

  test("is not begun by a page of another origin, nor inside of a page", async () => {
    const before = await getRejections()
    const ask = async (path: string, headers: Record<string, string>) => {
      const { status, headers: answered } = await fetch(`${admin.url}/api/v1${path}`, { redirect: "manual", headers })
      return [status, answered.get("location"), answered.get("set-cookie")]
    }
    const link = { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document" }
    expect(await ask("/oidc/start", link)).toEqual([303, "/dashboard/", null])
    for (const path of ["/oidc/start", "/oidc/callback?code=x"]) {
      expect(await ask(path, { "Sec-Fetch-Dest": "image" })).toEqual([403, null, null])
      expect(await ask(path, { "Sec-Fetch-Dest": "iframe" })).toEqual([403, null, null])
    }
    expect(await getRejections()).toEqual(before)
  })

  test("fails with another state", async () => {
    const { browser, callback } = await getCallback()
    callback.searchParams.set("state", "another")
    const end = await browser.follow(callback.href, isDashboard)
    await expectFailure(end.href.slice(admin.url.length), browser, "stale", /state/)
  })

  test("fails in another browser, and with a cookie that was changed", async () => {
    const { browser, callback } = await getCallback()
    const other = createCookieBrowser()
    other.jar.set("majordomo_oidc", `A${browser.jar.get("majordomo_oidc")!.slice(1)}`)
    const end = await other.follow(callback.href, isDashboard)
    await expectFailure(end.href.slice(admin.url.length), other, "stale", /no sign-in/)
  })

  test("fails with another nonce", async () => {
    const browser = createCookieBrowser()
    const start = await browser.follow(`${admin.url}/api/v1/oidc/start`, isAtProvider)
    start.searchParams.set("nonce", "another")
    const { callback } = await getCallback(browser, start.href)
    const end = await browser.follow(callback.href, isDashboard)
    await expectFailure(end.href.slice(admin.url.length), browser, "provider", /JWT/)
  })

  test("fails when an answer is sent a second time, also with the cookie of the first time", async () => {
    const { browser, callback } = await getCallback()
    const flow = browser.jar.get("majordomo_oidc")!
    expect((await browser.follow(callback.href, isDashboard)).hash).toBe("")
    const other = createCookieBrowser()
    other.jar.set("majordomo_oidc", flow)
    const end = await other.follow(callback.href, isDashboard)
    await expectFailure(end.href.slice(admin.url.length), other, "provider", /invalid_grant/)
  })

  test.each<[string, Person, string, RegExp]>([
    ["of a person whom the provider rejects", "nobody", "denied", /access_denied/],
    ["with an address of another domain", { ...ANN, email: "ann@example.com.evil.example" }, "domain", /evil/],
    ["with an address that is not verified", { ...ANN, email_verified: false }, "unverified", /e-mail/],
    ["of a person without a role", { ...ANN, groups: ["staff", "Admin"] }, "role", /ann@Example\.com/],
  ])("fails %s", async (_title, person, reason, detail) => {
    const { browser, end } = await signInAs(person)
    await expectFailure(end, browser, reason, detail)
  })

  test("shows neither the client secret nor a code or a verifier in the audit log", async () => {
    const { rows } = await admin.database.query("SELECT to_jsonb(a)::text AS row FROM llm_audit a")
    expect(JSON.stringify(rows)).not.toMatch(/secret of the client|secret%20of|code=|verifier=/)
    expect(admin.bugs).toEqual([])
  })

  test("is limited like other attempts that fail, and tells the browser so", async () => {
    const ends = new Set<string>()
    for (let i = 0; i < 22; i++) {
      const response = await fetch(`${admin.url}/api/v1/oidc/callback?code=x&state=y`, { redirect: "manual" })
      ends.add(response.headers.get("location")!)
    }
    expect(ends).toContain("/dashboard/#oidc=busy")
    expect((await getRejections()).length).toBeLessThan(30)
  })
})

test("admin.url is the address of the redirect URI, whatever the Host of the request", async () => {
  const named = await startAdminApi({
    MAJORDOMO_ADMIN_URL: "https://gateway.example.com/",
    MAJORDOMO_ADMIN_OIDC_ISSUER: provider.issuer,
    MAJORDOMO_ADMIN_OIDC_CLIENT_ID: CLIENT.id,
    MAJORDOMO_ADMIN_OIDC_ROLE_CLAIM: "groups",
  })
  try {
    const response = await fetch(`${named.url}/api/v1/oidc/start`, { redirect: "manual" })
    const address = new URL(response.headers.get("location")!)
    expect(address.searchParams.get("redirect_uri")).toBe("https://gateway.example.com/api/v1/oidc/callback")
  } finally {
    await named.close()
  }
})

test("without a provider in the settings, its routes say so", async () => {
  const plain = await startAdminApi()
  try {
    expect(await (await plain.ask("/sign-in")).json()).toEqual({ oidc: false })
    const response = await plain.ask("/oidc/start")
    expect([response.status, await response.text()]).toEqual([404, expect.stringContaining("set admin.oidc.issuer")])
  } finally {
    await plain.close()
  }
})

test("a provider that cannot be reached leads back to the sign-in page, which says so", async () => {
  const lonely = await startAdminApi({
    MAJORDOMO_ADMIN_OIDC_ISSUER: "http://127.0.0.1:1",
    MAJORDOMO_ADMIN_OIDC_CLIENT_ID: CLIENT.id,
    MAJORDOMO_ADMIN_OIDC_ROLE_CLAIM: "groups",
  })
  try {
    const response = await fetch(`${lonely.url}/api/v1/oidc/start`, { redirect: "manual" })
    expect([response.status, response.headers.get("location")]).toEqual([303, "/dashboard/#oidc=provider"])
  } finally {
    await lonely.close()
  }
})
