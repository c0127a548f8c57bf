import { readdirSync, readFileSync } from "node:fs"
import type { BrowserContextOptions, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { findBarriers } from "../support/axe.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"
import { type Gateway, noBrowser, openGateway } from "./_gateway.ts"

const dist = new URL("../../dist/dashboard/", import.meta.url)
const LONG = `long-${"name-".repeat(60)}`
const HOSTILE = `<img src=x onerror=alert(1)>"'&lt;\u202egnp`
const toShown = (text: string) => text.replace("\u202e", "\ufffd")
const ARABIC = "دعم العملاء"
const REQUEST = "01900000-0000-7000-8000-000000000001"
const TRACE = `run/${HOSTILE}`
const PRICE = {
  lines: [
    {
      side: "input",
      bucket: "input",
      model: "gpt-4o-mini",
      quantity: 1000,
      rate: "0.15",
      per: "million",
      factor: "1",
      amount: "0.00015",
      source: "genai-prices",
      date: "2026-01-02",
    },
    {
      side: "output",
      bucket: "output",
      model: "gpt-4o-mini",
      quantity: 500,
      rate: "0.6",
      per: "million",
      factor: "1",
      amount: "0.0003",
      source: "genai-prices",
      date: "2026-01-02",
    },
  ],
}

const PATHS = [
  "",
  "?model=gpt-4o-mini",
  "requests",
  `request?id=${REQUEST}`,
  "runs",
  `run?trace=${encodeURIComponent(TRACE)}`,
  "by?name=Feature",
  "nothing",
]

const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()

describe.skipIf(noBrowser !== undefined)(
  `the dashboard in Chromium${noBrowser ? ` (skipped: ${noBrowser})` : ""}`,
  () => {
    let gateway: Gateway
    const opened: Page[] = []
    const open = async (path: string, options?: BrowserContextOptions) => {
      const page = await gateway.open(path, "admin", options)
      opened.push(page)
      return page
    }

    beforeAll(async () => {
      gateway = await openGateway()
      await seed(gateway)
    })
    afterAll(() => gateway?.close())
    afterEach(async () => {
      await Promise.all(opened.splice(0).map(gateway.release))
      expect(gateway.faults.splice(0), "exceptions, policy violations and foreign requests").toEqual([])
    })

    test("a row filters the page, the address has the filter, and the back key removes it", async () => {
      const page = await open("")
      await page.getByRole("link", { name: "gpt-4o-mini", exact: true }).last().click()
      const chips = page.getByRole("list", { name: "Filters" })
      await expect.poll(() => chips.textContent()).toContain("gpt-4o-mini")
      expect(new URL(page.url()).searchParams.get("model")).toBe("gpt-4o-mini")
      await expect.poll(() => page.locator(".is-filtered").textContent()).toContain("gpt-4o-mini")
      await page.goBack()
      await expect.poll(() => chips.count()).toBe(0)
      await page.goForward()
      await page.getByRole("link", { name: "Remove the filter on Model" }).click()
      await expect.poll(() => new URL(page.url()).search).toBe("")
    })

    test("the address alone is the state: filters on several dimensions, period, measure and zone", async () => {
      const page = await open(
        "?since=7d&model=gpt-4o-mini&where=User-Id%3Dann&metric=requests&tz=Asia%2FTokyo&compare=off",
      )
      await expect.poll(() => page.locator(".chip").allTextContents()).toEqual(["Modelgpt-4o-mini×", "User-Idann×"])
      expect(await page.getByRole("combobox", { name: "Period", exact: true }).inputValue()).toBe("7d")
      expect(await page.getByLabel("Time zone").inputValue()).toBe("Asia/Tokyo")
      await expect.poll(() => page.locator(".tile[aria-current]").textContent()).toContain("Requests2")
      expect(await page.locator(".delta").count()).toBe(0)
    })

    test("the CSV of a card has the numbers of the card, and the rows that it does not show", async () => {
      const page = await open("?since=7d")
      const card = page.locator(".card").filter({ has: page.getByRole("table", { name: "Models", exact: true }) })
      await card.locator("tbody tr").first().waitFor()
      const shown = await card.locator("tbody tr").first().locator("td").allTextContents()
      const saved = page.waitForEvent("download")
      await card.getByRole("button", { name: "Save the Models as CSV" }).click()
      const [head, first] = readFileSync(await (await saved).path(), "utf8").split("\r\n")
      expect(head).toMatch(/^model,requests,errors,.*,total_cost,/)
      expect(first?.split(",").slice(0, 2)).toEqual(shown.slice(0, 2).map((text) => text.replace(",", "")))
    })

    test("a period is compared with one that begins on any day", async () => {
      const page = await open("?since=7d")
      await page.getByLabel("Compare with").selectOption("custom")
      await page.getByRole("dialog").getByLabel("From").fill("2025-06-01")
      const asked = page.waitForRequest((request) => /usage\?.*since=2025-06-01/.test(request.url()))
      await page.getByRole("button", { name: "Compare", exact: true }).click()
      await asked
      expect(new URL(page.url()).searchParams.get("vs")).toBe("2025-06-01")
    })

    test("a bar shows its day alone", async () => {
      const page = await open("?since=7d")
      const day = ago(0).slice(0, 10)
      await page.locator(".chart-targets a").last().click()
      await expect.poll(() => new URL(page.url()).searchParams.get("since")).toBe(day)
      expect(new URL(page.url()).searchParams.get("until")).toBe(day)
    })

    test("keys choose the period, the comparison, the page, the row and the help", async () => {
      const page = await open("")
      await page.locator("[data-row]").first().waitFor()
      const param = (name: string) => new URL(page.url()).searchParams.get(name)
      for (const [key, since] of Object.entries({ d: "today", w: "7d", m: "month" })) {
        await page.keyboard.press(key)
        expect(param("since")).toBe(since)
      }
      await page.keyboard.press("x")
      expect(param("compare")).toBe("off")
      await page.keyboard.press("?")
      await page.getByRole("dialog", { name: "Keys" }).waitFor()
      await page.keyboard.press("Escape")
      await expect.poll(() => page.getByRole("dialog").count()).toBe(0)
      await page.keyboard.press("w")
      await page.keyboard.press("g")
      await page.keyboard.press("r")
      await page.getByRole("heading", { name: "Requests" }).waitFor()
      expect(param("since")).toBe("7d")
      await page.locator("[data-row]").first().waitFor()
      await page.keyboard.press("j")
      await page.keyboard.press("j")
      await page.keyboard.press("k")
      await page.keyboard.press("Enter")
      await page.getByRole("heading", { name: "How the cost was computed" }).waitFor()
    })

    test("the filter field and the palette find a value by its name", async () => {
      const page = await open("")
      await page.locator("[data-row]").first().waitFor()
      await page.keyboard.press("/")
      await page.keyboard.type("ann")
      await page
        .getByRole("option", { name: /User-Id\s*ann/ })
        .first()
        .waitFor()
      await page.keyboard.press("Enter")
      await expect.poll(() => page.locator(".chip").allTextContents()).toEqual(["User-Idann×"])
      await page.keyboard.press("Control+k")
      await page.keyboard.type("Runs")
      await page.getByRole("option", { name: /Page\s*Runs/ }).waitFor()
      await page.keyboard.press("Enter")
      await page.getByRole("heading", { name: "Runs", exact: true }).waitFor()
    })

    test("a request shows every line of its cost with rate, source and date, and its bodies", async () => {
      const page = await open(`request?id=${REQUEST}`)
      const table = page.getByRole("table", { name: "Lines of the cost" })
      await table.waitFor()
      expect(await table.locator("tbody tr").allInnerTexts()).toEqual([
        expect.stringMatching(
          /Input[\s\S]*1,000[\s\S]*\$0\.15 \/ 1M[\s\S]*genai-prices, 2026-01-02[\s\S]*\$0\.000150000/,
        ),
        expect.stringMatching(/Output[\s\S]*500[\s\S]*\$0\.60 \/ 1M[\s\S]*\$0\.000300000/),
      ])
      expect(await page.locator(".total").textContent()).toContain("$0.000450000")
      expect(await page.locator(".total").textContent()).toContain("The lines add up to the cost")
      await page.getByRole("button", { name: "Copy as curl" }).waitFor()
      await page.getByRole("link", { name: "Show its run" }).click()
      await page.getByRole("table", { name: "Spans and requests of the run" }).waitFor()
      expect(await page.locator(".waterfall tbody tr").count()).toBe(3)
    })

    test("the newest runs come first, and each heading with a link sorts the runs", async () => {
      const page = await open("runs")
      const table = page.getByRole("table", { name: "Runs", exact: true })
      const names = () => table.locator("tbody tr td:first-child").allInnerTexts()
      const trace = toShown(TRACE)
      await expect.poll(names).toEqual([trace, "small run"])
      const headings = ["Cost", "Requests", "Errors", "Duration", "Ended"]
      for (const heading of headings) {
        await table.getByRole("link", { name: heading, exact: true }).click()
        await expect.poll(() => table.locator("th[aria-sort=descending]").textContent()).toContain(heading)
        await expect.poll(names).toEqual(heading === "Cost" ? ["small run", trace] : [trace, "small run"])
      }
    })

    test("a cost that is not known is a dash, and an amount below a cent is not zero", async () => {
      const page = await open("by?name=model")
      const row = (name: string) => page.getByRole("row").filter({ hasText: name })
      await expect.poll(() => row("house-model").textContent()).toContain("—")
      expect(await row("gpt-4o-mini").textContent()).toContain("<$0.01")
      expect(await row("gpt-4o-mini").locator('[title="$0.0009"]').count()).toBe(1)
    })

    test("a deleted key is called by its id", async () => {
      const page = await open("by?name=key")
      await page.getByText("deleted key 0190ffff").waitFor()
      await page.goto(`${gateway.origin}/dashboard/requests?model=orphan`)
      await page.getByRole("table").getByText("deleted key 0190ffff").waitFor()
    })

    test("10,000 users have one table, which grows when the reader wants more", async () => {
      const page = await open("by?name=User-Id")
      await expect.poll(() => page.locator(".more").textContent()).toContain("100 of 10,0")
      await page.getByRole("button", { name: "Show more" }).click()
      await expect.poll(() => page.locator("tbody tr").count()).toBe(300)
    })

    test("new requests appear while the list is followed", async () => {
      const page = await open("requests?follow=1&model=live-model")
      await page.getByText("Following new requests").waitFor()
      await insertRows(gateway.client, [{ model: "live-model", at: ago(0) }])
      await page.getByRole("table", { name: "Requests" }).getByText("live-model").waitFor()
    })

    test("a period without requests says what to do", async () => {
      const page = await open("?since=2020-01-01&until=2020-01-31")
      await page.getByText("No requests in this period").waitFor()
      await page.goto(`${gateway.origin}/dashboard/runs?since=2020-01-01&until=2020-01-31`)
      await page.getByText("No runs in this period").waitFor()
    })

    test("a parameter that is not valid, a missing request and a missing page are explained", async () => {
      const page = await open("?since=yesterdayish")
      await page.getByText("The address of this page is not valid").first().waitFor()
      await page.goto(`${gateway.origin}/dashboard/request?id=${crypto.randomUUID()}`)
      await page.getByText("Not found", { exact: true }).waitFor()
      await page.goto(`${gateway.origin}/dashboard/nothing`)
      await page.getByText("There is no such page").waitFor()
    })

    test("other people's names are text: they run no code, turn nothing around and do not widen the page", async () => {
      const narrow = await open("nothing", { viewport: { width: 360, height: 800 } })
      for (const path of [
        "",
        "requests",
        `request?id=${REQUEST}`,
        "runs",
        `run?trace=${encodeURIComponent(TRACE)}`,
        "by?name=Feature",
      ]) {
        await narrow.goto(`${gateway.origin}/dashboard/${path}`)
        await narrow.locator("main [data-row], main .facts, main table").first().waitFor()
        await settle(narrow)
        expect(await narrow.locator("main img, main script").count(), path).toBe(0)
        // The value of a field is what is sent.
        const turned = `document.body.outerHTML.replace(/(value|href)="[^"]*"/g, "").match(/.{0,40}\\u202e/g)`
        expect(await narrow.evaluate(turned), path).toBeNull()
        expect(await narrow.evaluate("document.documentElement.scrollWidth - innerWidth"), path).toBeLessThanOrEqual(0)
      }
      const page = await open("")
      await page.locator("bdi", { hasText: ARABIC }).first().waitFor()
      await page.getByText(toShown(HOSTILE)).first().click()
      await expect.poll(() => [...new URL(page.url()).searchParams.values()]).toContain(HOSTILE)
    })

    test("the cost of a request is in view at every width, also that of a subscription", async () => {
      await gateway.client.query("UPDATE llm_requests SET billing = 'subscription' WHERE id = $1", [REQUEST])
      const page = await open("requests?model=gpt-4o-mini")
      for (const width of [360, 768, 1280]) {
        await page.setViewportSize({ width, height: 800 })
        await page.getByText("subscription", { exact: true }).waitFor()
        await settle(page)
        const end = async (selector: string) => {
          const { x, width } = (await page.locator(selector).first().boundingBox())!
          return x + width
        }
        expect(await end(".table-box small"), String(width)).toBeLessThanOrEqual(await end(".table-box"))
      }
      await gateway.client.query("UPDATE llm_requests SET billing = NULL WHERE id = $1", [REQUEST])
    })

    test("a sum that leaves out requests without a price says so", async () => {
      const page = await open("?since=1d")
      await expect.poll(() => page.locator(".tile").first().textContent()).toContain(">$")
    })

    test("axe finds nothing in any view, in both themes", async () => {
      const page = await open("")
      for (const path of PATHS) {
        await page.goto(`${gateway.origin}/dashboard/${path}`)
        await page.locator("main tbody, main .empty").first().waitFor()
        await settle(page)
        expect(await findBarriers(page), path).toEqual([])
      }
    })

    test("axe finds nothing in the dialogs and on the sign-in page", async () => {
      const page = await open("")
      const look = () => findBarriers(page)
      await page.locator("[data-row]").first().waitFor()
      await page.keyboard.press("?")
      await page.getByRole("dialog", { name: "Keys" }).waitFor()
      expect(await look()).toEqual([])
      await page.keyboard.press("Escape")
      await page.keyboard.press("Control+k")
      await page.keyboard.type("house")
      await page.getByRole("option", { name: "house-model" }).first().waitFor()
      expect(await look()).toEqual([])
      await gateway.signOut()
      await page.reload()
      await page.getByRole("heading", { name: "Sign in to Majordomo" }).waitFor()
      expect(await look()).toEqual([])
    })

    test("nothing moves while the overview loads", async () => {
      const page = await open("?compare=off")
      await page.locator("[data-row]").first().waitFor()
      await settle(page)
      const moved = await page.evaluate(
        `new Promise((resolve) => new PerformanceObserver((list) => resolve(list.getEntries().reduce((sum, { value }) => sum + value, 0)))
        .observe({ type: "layout-shift", buffered: true }), setTimeout(() => resolve(0), 200))`,
      )
      expect(moved).toBeLessThan(0.1)
    })

    test("the reader's theme outlives a reload", async () => {
      const page = await open("", { colorScheme: "light" })
      await page.getByLabel("Theme").selectOption("dark")
      await page.reload()
      await page.locator("[data-row]").first().waitFor()
      expect(await page.evaluate("getComputedStyle(document.documentElement).colorScheme")).toBe("dark")
    })

    test("a session that ends leads to the sign-in page, and back to the same page", async () => {
      const page = await open("requests?since=7d")
      await page.locator("[data-row]").first().waitFor()
      await gateway.signOut()
      await page.keyboard.press("d")
      await page.getByText("Your session has ended").waitFor()
      await page.getByLabel("Admin token").fill("mdm_admin_wrong")
      await page.getByRole("button", { name: "Sign in" }).click()
      await page.getByText("the admin token is unknown, expired or revoked").waitFor()
      await page.getByLabel("Admin token").fill(await gateway.getSecret("admin"))
      await page.getByRole("button", { name: "Sign in" }).click()
      await page.getByRole("heading", { name: "Requests" }).waitFor()
      expect(new URL(page.url()).search).toBe("?since=today")
      await page.getByRole("button", { name: "Sign out" }).click()
      await page.getByRole("heading", { name: "Sign in to Majordomo" }).waitFor()
    })

    test("a link with a code signs in, and the code leaves the address", async () => {
      const page = await open("nothing")
      await gateway.signOut()
      await page.goto("about:blank")
      await page.goto(`${gateway.origin}/dashboard/#code=${await gateway.getCode()}`)
      await page.getByRole("heading", { name: "Overview" }).waitFor()
      expect(page.url()).toBe(`${gateway.origin}/dashboard/`)
    })
  },
)

test("the code and styles of the first view are at most 90 KB, compressed", () => {
  const sizes = readdirSync(new URL("assets/", dist))
    .filter((name) => name.endsWith(".br"))
    .map((name) => readFileSync(new URL(`assets/${name}`, dist)).length)
  expect(sizes.length).toBeGreaterThanOrEqual(2)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(90_000)
})

test("the page has no code and no styles of its own, which the Content-Security-Policy would reject", () => {
  const html = readFileSync(new URL("index.html", dist), "utf8")
  expect(html).not.toMatch(/<style|style=|<script(?![^>]*\ssrc=)|https?:/)
})

/** Waits until no question to the API is open. */
async function settle(page: Page): Promise<void> {
  await page.waitForLoadState("networkidle")
}

async function seed({ client }: Gateway): Promise<void> {
  const search = await insertKey(client, "Search")
  const hostile = await insertKey(client, HOSTILE)
  const small = {
    model: "gpt-4o-mini",
    cost: "0.00045",
    sides: ["0.00015", "0.0003"] as const,
    input: 1000,
    output: 500,
    price: PRICE,
  }
  const run = (span: string) => ({ "User-Id": "ann", "Trace-Id": TRACE, "Span-Path": span, Feature: HOSTILE })
  await insertRows(client, [
    { ...small, id: REQUEST, key: search, at: ago(3), metadata: run("agent/plan") },
    { ...small, key: hostile, at: ago(2), metadata: run("agent/edit") },
    { model: "house-model", cost: null, status: "unpriced", key: search, at: ago(1), metadata: { Feature: ARABIC } },
    {
      model: "orphan",
      cost: "1",
      key: "0190ffff-0000-7000-8000-000000000002",
      at: ago(5),
      metadata: { "Trace-Id": "small run" },
    },
    { model: LONG, cost: "12.5", key: search, at: ago(30), metadata: { Feature: LONG } },
    { model: HOSTILE, provider: HOSTILE, cost: "3", code: 500, at: ago(40), metadata: { "User-Id": HOSTILE } },
  ])
  await client.query("UPDATE llm_requests SET error_message = $1 WHERE status_code = 500", [HOSTILE])
  await client.query(
    `INSERT INTO llm_requests (id, majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at,
       response_time_ms, input_tokens, total_cost, cost_status, usage_source, status_code, outcome, raw_metadata, created_at)
     SELECT gen_random_uuid(), $1, 'openai', 'gpt-4o', '/v1/chat/completions', 'POST', now() - interval '5 days', now() - interval '5 days',
       800, 10, 0.01, 'exact', 'reported', 200, 'complete', jsonb_build_object('User-Id', 'user-' || i), now() - interval '5 days'
     FROM generate_series(1, 10000) AS i`,
    [search],
  )
}
