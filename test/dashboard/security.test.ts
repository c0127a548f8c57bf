import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { type Gateway, noBrowser, openGateway } from "./_gateway.ts"

const COOKIE = "majordomo_session"

describe.skipIf(noBrowser !== undefined)(
  `the security of the dashboard in Chromium${noBrowser ? ` (skipped: ${noBrowser})` : ""}`,
  () => {
    let gateway: Gateway
    let attacker: Server
    const opened: Page[] = []
    const open: typeof gateway.open = async (...args) => {
      const page = await gateway.open(...args)
      opened.push(page)
      return page
    }
    const query = async (sql: string) => (await gateway.client.query(sql)).rows
    const readCookie = async (page: Page) =>
      (await page.context().cookies()).find(({ name }) => name === COOKIE)?.value ?? ""
    const signIn = async (page: Page, role: "viewer" | "admin" = "admin") => {
      await page.getByLabel("Admin token").fill(await gateway.getSecret(role))
      await page.getByRole("button", { name: "Sign in" }).click()
    }

    beforeAll(async () => {
      gateway = await openGateway()
      attacker = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<body>Hello"))
      await new Promise<void>((resolve) => attacker.listen(0, "127.0.0.1", resolve))
    })
    afterAll(async () => {
      attacker?.closeAllConnections()
      attacker?.close()
      await gateway?.close()
    })
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((page) => page.context().close()))
      expect(gateway.faults.splice(0), "exceptions, policy violations and bugs").toEqual([])
    })

    // Another port of the same host is another origin of the same site: the browser sends the cookie, also a strict one.
    describe.each(["127.0.0.1", "localhost"])("a page of another origin, at %s,", (host) => {
      /** Opens the attacker's page in a browser in which an admin is signed in. */
      const lure = async () => {
        const page = await open("keys")
        await page.getByRole("heading", { name: "Keys" }).waitFor()
        const url = `http://${host}:${(attacker.address() as AddressInfo).port}/`
        await page.goto(url)
        // This request to another host is the test's own.
        expect(gateway.faults.splice(0)).toEqual([url])
        return page
      }
      const countKeys = () => query("SELECT count(*)::int AS count FROM api_keys")

      test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])(
        "creates no key by a form of the type %s",
        async (type) => {
          const page = await lure()
          const before = await countKeys()
          const answered = page.waitForResponse(`${gateway.origin}/api/v1/keys`)
          await page.evaluate(`{
            const attributes = ${JSON.stringify({ action: `${gateway.origin}/api/v1/keys`, enctype: type, method: "POST" })}
            const form = Object.assign(document.createElement("form"), attributes)
            const input = Object.assign(document.createElement("input"), { name: '{"name":"stolen","x":"', value: '"}' })
            form.append(input)
            document.body.append(form)
            form.submit()
          }`)
          // From another site, the browser does not even send the cookie.
          expect((await answered).status()).toBe(host === "localhost" ? 401 : 403)
          expect(await countKeys()).toEqual(before)
        },
      )

      test("changes nothing and reads nothing by fetch, whatever its mode, method and type", async () => {
        const page = await lure()
        const before = await countKeys()
        const results = await page.evaluate(async (api) => {
          const body = '{"name":"stolen"}'
          const attempts: [string, RequestInit][] = [
            ["/session", {}],
            ["/keys", {}],
            ["/keys", { method: "POST", body, mode: "no-cors", headers: { "Content-Type": "text/plain" } }],
            ["/keys", { method: "POST", body, headers: { "Content-Type": "application/json" } }],
            ["/keys", { method: "POST", body, headers: { "X-CSRF-Token": "guess" } }],
            ["/session", { method: "DELETE" }],
          ]
          const read = ([path, init]: [string, RequestInit]) =>
            fetch(api + path, { ...init, credentials: "include" }).then(
              async (response) => (await response.text()) || response.type,
              () => "rejected",
            )
          return Promise.all(attempts.map(read))
        }, `${gateway.origin}/api/v1`)
        expect(results).toEqual(["rejected", "rejected", "opaque", "rejected", "rejected", "rejected"])
        expect(await countKeys()).toEqual(before)
        await page.goto(`${gateway.origin}/dashboard/keys`)
        await page.getByRole("heading", { name: "Keys" }).waitFor()
      })

      test("cannot show the dashboard inside of itself", async () => {
        const page = await lure()
        const attributes = JSON.stringify({ src: `${gateway.origin}/dashboard/` })
        await page.evaluate(`void document.body.append(Object.assign(document.createElement("iframe"), ${attributes}))`)
        await expect.poll(() => page.frames()[1]?.url()).toBe("chrome-error://chromewebdata/")
        gateway.faults.length = 0
      })
    })

    test("a cookie that somebody else planted before the sign-in is worth nothing after it", async () => {
      const page = await open("keys", "viewer")
      const planted = await readCookie(page)
      await page.getByRole("button", { name: "Sign out" }).click()
      await page.getByLabel("Admin token").waitFor()
      await page.context().addCookies([{ name: COOKIE, value: planted, url: gateway.origin }])
      await page.reload()
      await signIn(page)
      await page.getByRole("heading", { name: "Keys" }).waitFor()
      expect(await readCookie(page)).not.toBe(planted)
      const askAs = async (cookie: string) =>
        (await fetch(`${gateway.origin}/api/v1/session`, { headers: { cookie: `${COOKIE}=${cookie}` } })).status
      expect([await askAs(planted), await askAs(await readCookie(page))]).toEqual([401, 200])
    })

    test("no script of the page can read the cookie", async () => {
      const page = await open("keys")
      expect(await readCookie(page)).not.toBe("")
      expect(await page.evaluate("document.cookie")).toBe("")
    })

    test.each([
      ["is ended by an admin", "revoked_at = now()"],
      ["expires", "expires_at = now()"],
    ])("a page whose session %s says so, and comes back to the same view after the next sign-in", async (_, change) => {
      const page = await open("keys?q=nothing")
      await page.getByText("No active key matches").waitFor()
      await page.getByRole("button", { name: "Create key" }).click()
      await page.locator("input[name=name]").fill("Late")
      await query(`UPDATE majordomo_sessions SET ${change} WHERE revoked_at IS NULL`)
      // The page may notice by itself first, because it asks for news now and then.
      const hasEnded = page.getByText("Your session has ended").waitFor()
      const create = page.getByRole("dialog").getByRole("button", { name: "Create", exact: true })
      await Promise.race([create.click().catch(() => hasEnded), hasEnded])
      await hasEnded
      await signIn(page)
      await page.getByText("No active key matches").waitFor()
      expect(page.url()).toBe(`${gateway.origin}/dashboard/keys?q=nothing`)
      expect(await query("SELECT id FROM api_keys WHERE name = 'Late'")).toEqual([])
    })
  },
)
