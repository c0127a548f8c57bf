import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { findBarriers } from "../support/axe.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"
import { type Gateway, noBrowser, openGateway } from "./_gateway.ts"

const HOSTILE = `<img src=x onerror=alert(1)>"'&lt;`
const LONG = `long-${"name-".repeat(50)}`

describe.skipIf(noBrowser !== undefined)(
  `keys, tokens, prices and the audit log in Chromium${noBrowser ? ` (skipped: ${noBrowser})` : ""}`,
  () => {
    let gateway: Gateway
    const opened: Page[] = []
    const open: typeof gateway.open = async (...args) => {
      const page = await gateway.open(...args)
      opened.push(page)
      return page
    }
    const query = async (sql: string) => (await gateway.client.query(sql)).rows

    beforeAll(async () => {
      gateway = await openGateway()
      await insertKey(gateway.client, HOSTILE)
      await insertKey(gateway.client, LONG)
      await insertRows(gateway.client, [
        { model: "gpt-4o-mini", cost: null, status: "unpriced", input: 1_000_000, output: 0 },
        { model: "house-model", cost: null, status: "unpriced", input: 10 },
        { model: "gpt-4o", cost: "1" },
      ])
    })
    afterAll(() => gateway?.close())
    afterEach(async () => {
      await Promise.all(opened.splice(0).map(gateway.release))
      expect(gateway.faults.splice(0), "exceptions, policy violations and bugs").toEqual([])
    })

    test("a key is created, its secret is shown once and works, and it is updated, rotated and revoked", async () => {
      const page = await open("keys")
      await page.getByRole("button", { name: "Create key" }).click()
      await page.getByLabel(/^Name/).fill("Search")
      await page.getByLabel("Discount in percent").fill("150")
      await page.getByRole("button", { name: "Create", exact: true }).click()
      await expect.poll(() => page.getByRole("alert").textContent()).toContain("150")
      await page.getByLabel("Discount in percent").fill("12.5")
      await page.getByLabel("Expires").fill("7d")
      await page.getByLabel("Models").fill("gpt-5*, claude-*")
      await page.getByLabel("Budget").fill("50/month")
      await page.getByRole("button", { name: "Create", exact: true }).click()
      const secret = page.getByRole("dialog", { name: "The new API key" })
      const first = await secret.locator(".secret code").textContent()
      expect(first).toMatch(/^mdm_/)
      await page.keyboard.press("Escape")
      expect(await secret.count(), "only its button closes a secret").toBe(1)
      await secret.getByRole("button", { name: "I have stored it" }).click()
      expect(await page.content()).not.toContain(first)

      await page.getByRole("link", { name: "Search", exact: true }).click()
      await page.getByRole("button", { name: "Update" }).click()
      await page.getByLabel("Description").fill("the search page")
      await page.getByLabel("Discount in percent").fill("")
      await page.getByRole("button", { name: "Save" }).click()
      await page.locator(".facts").getByText("the search page").waitFor()
      const facts = await page.locator(".facts").textContent()
      expect(facts).toMatch(/Expires.*soon/)
      expect(facts).toContain("gpt-5*, claude-*")
      expect(facts).toContain("50 USD per month")
      expect(await page.locator(".facts").textContent()).not.toContain("12.5")

      await page.getByRole("button", { name: "Rotate" }).click()
      await page.getByLabel("Grace period").fill("24h")
      await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click()
      await secret.waitFor()
      expect(await secret.locator(".secret code").textContent()).not.toBe(first)
      await secret.getByRole("button", { name: "I have stored it" }).click()
      await expect.poll(() => page.locator(".facts").textContent()).toContain("Old secretworks until")

      await gateway.client.query(`INSERT INTO majordomo_gateways (id, seen_at, name, slot, offline_s)
        VALUES (gen_random_uuid(), now() - interval '10 min', 'cut off', 'x', 3600)`)
      await page.getByRole("button", { name: "Revoke" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click()
      const result = page.getByRole("dialog", { name: "The key is revoked" })
      await expect.poll(() => result.textContent()).toMatch(/did not answer[\s\S]*cut off: last seen .* until /)
      await result.getByRole("button", { name: "Done" }).click()
      await expect.poll(() => page.locator(".facts").textContent()).toContain("revoked")
      expect(await page.getByRole("button", { name: "Revoke" }).count()).toBe(0)
      await page.goBack()
      await page.goto(`${gateway.origin}/dashboard/keys?q=search`)
      await expect
        .poll(() => page.getByRole("table", { name: "Revoked and expired keys" }).locator("tbody tr").count())
        .toBe(1)
      await query("DELETE FROM majordomo_gateways")
    })

    test("a search in a list is in the address, and finds parts of names", async () => {
      const page = await open("keys")
      await page.getByLabel("Search keys").fill("LONG-name")
      await expect.poll(() => page.getByRole("table", { name: "Active keys" }).locator("tbody tr").count()).toBe(1)
      expect(new URL(page.url()).searchParams.get("q")).toBe("LONG-name")
      await page.getByLabel("Search keys").fill("nothing like it")
      await page.getByText("No active key matches").waitFor()
    })

    test("an admin token is created, signs in, and is revoked with the sessions of its holder", async () => {
      const page = await open("tokens")
      await page.getByRole("button", { name: "Create token" }).click()
      await page.getByLabel("Name").fill("grafana")
      await page.getByLabel("Valid for").fill("soon")
      await page.getByRole("button", { name: "Create", exact: true }).click()
      await expect.poll(() => page.getByRole("alert").textContent()).toContain("90d")
      await page.getByLabel("Valid for").fill("90d")
      await page.getByRole("button", { name: "Create", exact: true }).click()
      const secret = page.getByRole("dialog", { name: "The new admin token" })
      const token = await secret.locator(".secret code").textContent()
      await secret.getByRole("button", { name: "I have stored it" }).click()
      const signIn = () =>
        page.context().request.fetch(`${gateway.origin}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } })
      expect((await signIn()).status()).toBe(200)
      await page.getByRole("button", { name: "Revoke grafana" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click()
      const row = page.getByRole("table", { name: "Admin tokens" }).getByRole("row").filter({ hasText: "grafana" })
      await expect.poll(() => row.textContent()).toContain("revoked")
      expect((await signIn()).status()).toBe(401)
    })

    test("a session is ended, but one's own has no button", async () => {
      const other = await open("keys", "auditor")
      const page = await open("tokens")
      const table = page.getByRole("table", { name: "Sessions" })
      await expect.poll(() => table.getByRole("row").filter({ hasText: "this browser" }).count()).toBe(1)
      expect(await table.getByRole("row").filter({ hasText: "this browser" }).getByRole("button").count()).toBe(0)
      await page.getByRole("button", { name: "End the session of person-auditor" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "End it" }).click()
      await expect
        .poll(() => table.getByRole("row").filter({ hasText: "person-auditor" }).textContent())
        .toContain("ended")
      await other.reload()
      await other.getByRole("heading", { name: "Sign in to Majordomo" }).waitFor()
    })

    test("models without a price come first, and requests are repriced after a look at the difference", async () => {
      const page = await open("prices")
      const unpriced = page.getByRole("table", { name: "Models without a price" })
      await expect.poll(() => unpriced.locator("tbody tr").count()).toBe(2)
      await page.getByRole("button", { name: "Reprice requests" }).click()
      await page.getByRole("button", { name: "Show the difference" }).click()
      const preview = page.getByRole("dialog", { name: "The difference" })
      const row = preview.getByRole("row").filter({ hasText: "gpt-4o-mini" })
      // Before, the cost was not known, and not zero.
      await expect.poll(() => row.textContent()).toMatch(/1—\$0\.15$/)
      const [before] = await query("SELECT total_cost FROM llm_requests WHERE model = 'gpt-4o-mini'")
      expect(before).toEqual({ total_cost: null })
      await preview.getByRole("button", { name: "Reprice 1 request" }).click()
      await expect
        .poll(() => unpriced.locator("tbody tr").allTextContents())
        .toEqual([expect.stringContaining("house-model")])
      const [after] = await query("SELECT total_cost::float AS cost FROM llm_requests WHERE model = 'gpt-4o-mini'")
      expect(after).toEqual({ cost: 0.15 })
      await page.getByRole("button", { name: "Reprice requests" }).click()
      await page.getByRole("button", { name: "Show the difference" }).click()
      await page.getByRole("dialog", { name: "Nothing would change" }).waitFor()
    })

    test("the price book finds a model, and shows its rates with source and date, and their history", async () => {
      const page = await open("prices")
      await page.getByLabel("Search models").fill("openai gpt-4o-mini")
      const book = page.getByRole("table", { name: "Price book" })
      await book.getByRole("link", { name: /^gpt-4o-miniopenai$/ }).click()
      const rates = page.getByRole("table", { name: "Rates of gpt-4o-mini" })
      await expect
        .poll(() => rates.getByRole("row").filter({ hasText: "Output" }).first().textContent())
        .toMatch(/^Output\$0\.601M tokens[a-z.-]+\d{4}-\d\d-\d\d$/)
      await page.getByRole("table", { name: "Changes of the price" }).waitFor()
    })

    test("a price is set on the page of its model, its requests are repriced, and it is removed", async () => {
      const page = await open("prices")
      const unpriced = page.getByRole("table", { name: "Models without a price" })
      await unpriced.getByRole("row").filter({ hasText: "house-model" }).getByRole("link", { name: "Price" }).click()
      await page.getByText("No source has a price of this model").waitFor()
      await page.getByRole("button", { name: "Set a price" }).click()
      await page.getByLabel("Input").fill("cheap")
      await page.getByRole("button", { name: "Set the price" }).click()
      await expect.poll(() => page.getByRole("alert").textContent()).toContain("expected USD per million tokens")
      await page.getByLabel("Input").fill("100000")
      await page.getByRole("button", { name: "Set the price" }).click()

      const choose = page.getByRole("dialog", { name: "Reprice requests" })
      await expect.poll(() => choose.getByLabel("Model").inputValue()).toBe("house-model")
      await choose.getByRole("button", { name: "Show the difference" }).click()
      await page.getByRole("button", { name: "Reprice 1 request" }).click()
      await expect.poll(() => page.getByRole("dialog").count()).toBe(0)
      const costs = await query("SELECT total_cost::float AS cost FROM llm_requests WHERE model = 'house-model'")
      expect(costs).toEqual([{ cost: 1 }])

      const rates = page.getByRole("table", { name: /^Rates of .*house-model$/ })
      await expect.poll(() => rates.textContent()).toContain("$100000.001M tokensstored_overrides")
      await page.getByRole("button", { name: "Set a price" }).click()
      expect(await page.getByLabel("Input").inputValue(), "what was set can be changed").toBe("100000")
      await page.keyboard.press("Escape")
      const set = page.getByRole("table", { name: "Prices that were set" })
      await expect.poll(() => set.locator("tbody tr").count()).toBe(1)
      await set.getByRole("button", { name: "Remove" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click()
      await page.getByText("No source has a price of this model").waitFor()
      expect(await query("SELECT action FROM llm_audit WHERE action LIKE 'pricing.%set' ORDER BY at")).toEqual([
        { action: "pricing.set" },
        { action: "pricing.unset" },
      ])
    })

    test("a repricing says how far it is", async () => {
      await query(
        `INSERT INTO majordomo_price_overrides (model, rates, set_by) VALUES ('many', '{"input": "1"}', 'test')`,
      )
      await query(`INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at,
          created_at, response_time_ms, status_code, input_tokens, cost_status, usage_source)
        SELECT gen_random_uuid(), 'openai', 'many', '/v1/chat/completions', 'POST', at, at, at, 1, 200, 10, 'unpriced', 'reported'
        FROM generate_series(now() - interval '600 s', now(), interval '1 s') AS at`)
      const page = await open("prices")
      await page.getByRole("button", { name: "Reprice requests" }).click()
      await page.getByRole("dialog").getByLabel("Model").fill("many")
      await page.getByRole("button", { name: "Show the difference" }).click()
      // It works in chunks of 500. The first one waits until a second has passed, and then the second one waits.
      const [first, last] = [await lockRequest("ASC"), await lockRequest("DESC")]
      await page.getByRole("button", { name: "Reprice 601 requests" }).click()
      const waiting = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND query_start < clock_timestamp() - interval '1 s'`
      await expect.poll(() => query(waiting)).toEqual([{ count: 1 }])
      await first.end()
      const status = page.getByRole("dialog").getByRole("status")
      await expect.poll(() => status.textContent()).toBe("500 requests looked at, 500 changed …")
      await last.end()
      await page.getByText("601 requests repriced.").waitFor()
      await query("DELETE FROM majordomo_price_overrides")
    })

    /** Locks the oldest or the newest request of the model `many` until the connection ends. */
    async function lockRequest(order: "ASC" | "DESC") {
      const client = await gateway.connect()
      await client.query("BEGIN")
      await client.query(
        `SELECT id FROM llm_requests WHERE model = 'many' ORDER BY created_at ${order} LIMIT 1 FOR UPDATE`,
      )
      return client
    }

    test("the audit log shows who changed what, with each value before and after", async () => {
      const page = await open("audit")
      const table = page.getByRole("table", { name: "Changes" })
      await table.getByRole("link").first().waitFor()
      const [entry] = await query("SELECT id FROM llm_audit WHERE action = 'keys.update'")
      await table.getByRole("row").filter({ hasText: "Updated the key" }).click()
      expect(new URL(page.url()).searchParams.get("entry")).toBe(entry.id)
      const dialog = page.getByRole("dialog")
      await expect.poll(() => dialog.textContent()).toContain("person-admin (session)")
      const changed = await dialog.locator("tbody tr").allTextContents()
      expect(changed).toEqual(["description—the search page", "discount percent12.5—"])
      await page.keyboard.press("Escape")
      await expect.poll(() => dialog.count()).toBe(0)
      expect(new URL(page.url()).search).toBe("")
    })

    test("the address of an entry opens it, also if it is older than the entries on the page", async () => {
      await query(`INSERT INTO llm_audit (id, at, actor_kind, actor_name, action, target)
        VALUES ('01900000-0000-7000-8000-00000000000a', '2020-01-01', 'command', 'long ago', 'prune', 'x')`)
      const page = await open("audit?entry=01900000-0000-7000-8000-00000000000a")
      await expect.poll(() => page.getByRole("dialog").textContent()).toContain("long ago")
    })

    test("older changes of the audit log come when the reader asks for them", async () => {
      await query(`INSERT INTO llm_audit (id, at, actor_kind, actor_name, action)
        SELECT gen_random_uuid(), now() - i * interval '1 h', 'command', 'root', 'prune' FROM generate_series(1, 60) AS i`)
      const page = await open("audit")
      const rows = page.getByRole("table", { name: "Changes" }).locator("tbody tr")
      await expect.poll(() => rows.count()).toBe(50)
      await page.getByRole("button", { name: "Show older changes" }).click()
      await expect.poll(() => rows.count()).toBeGreaterThan(60)
    })

    test("a viewer sees everything and no button that changes something", async () => {
      const [key] = await query("SELECT id FROM api_keys WHERE is_active LIMIT 1")
      for (const path of ["keys", `key?id=${key.id}`, "tokens", "prices", "audit"]) {
        const page = await open(path, "viewer")
        await page.locator("main tbody, main .facts").first().waitFor()
        await page.waitForLoadState("networkidle")
        const buttons = await page.locator("main button").allTextContents()
        expect(
          buttons.filter((text) => !/^Show (more|older)/.test(text)),
          path,
        ).toEqual([])
        expect(await page.locator("main .failure").count(), path).toBe(0)
      }
    })

    test("axe finds nothing, and nothing is wider than a narrow page, in both themes", async () => {
      const [key] = await query(`SELECT id FROM api_keys WHERE name LIKE '<img%'`)
      const paths = ["keys", `key?id=${key.id}`, "tokens", "prices", "price?of=gpt-4o-mini&at=openai", "audit"]
      const page = await open("keys", "admin", { viewport: { width: 360, height: 800 } })
      for (const path of paths) {
        await page.goto(`${gateway.origin}/dashboard/${path}`)
        await page.locator("main tbody, main .facts").first().waitFor()
        await page.waitForLoadState("networkidle")
        expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), path).toBeLessThanOrEqual(0)
        expect(await page.locator("main img").count(), path).toBe(0)
        expect(await findBarriers(page), path).toEqual([])
      }
    })
  },
)
