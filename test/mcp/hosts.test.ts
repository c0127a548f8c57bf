import { request } from "node:http"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type AdminApi, startAdminApi } from "../api/_api.ts"

let api: AdminApi
let token: string

beforeAll(async () => {
  api = await startAdminApi({ MAJORDOMO_ADMIN_TOKEN: "admin-token-of-this-test" })
  token = "admin-token-of-this-test"
})
afterAll(() => api?.close())

/** Sends a request with any Host, which fetch does not allow. */
function post(path: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(`${api.url}${path}`, { method: "POST", headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on("error", reject).end(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }))
  })
}

const COMMON = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" }

test("/mcp is called by the names of the gateway only, so a website cannot rebind its own name to it", async () => {
  const headers = { ...COMMON, Authorization: `Bearer ${token}` }
  expect(await post("/mcp", headers)).toBe(200)
  expect(await post("/mcp", { ...headers, Host: "evil.example" })).toBe(403)
  expect(api.bugs).toEqual([])
})

test("the session of a browser is no proof for /mcp, because a browser sends its cookie by itself", async () => {
  const code = await api.createCode()
  const signedIn = await fetch(`${api.url}/api/v1/sessions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code: (code as { code: string }).code }),
  })
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? ""
  expect(cookie).toMatch(/^majordomo_session=/)
  expect(await post("/mcp", { ...COMMON, Cookie: cookie })).toBe(401)
})
