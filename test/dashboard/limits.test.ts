import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { insertKey, insertRows } from "../support/usage-rows.ts"
import { noBrowser, openGateway } from "./_gateway.ts"
import { expectFitsAllWidths } from "./_layout.ts"

const HOSTILE = `<img src=x onerror=alert(1)>"'&lt;`

describe.skipIf(noBrowser !== undefined)(`limits in Chromium${noBrowser ? ` (skipped: ${noBrowser})` : ""}`, () => {
  let gateway: Awaited<ReturnType<typeof openGateway>>
  let key: string
  const opened: Page[] = []
  const open: typeof gateway.open = async (...args) => {
    const page = await gateway.open(...args)
    opened.push(page)
    return page
  }
  const table = (page: Page) => page.getByRole("table", { name: "Limits" })

  beforeAll(async () => {
    gateway = await openGateway()
    key = await insertKey(gateway.client, "Search")
    const row = { key, model: "gpt-4o-mini" }
    await insertRows(gateway.client, [
      { ...row, cost: "42.5", metadata: { Team: "search", "User-Id": "ada" } },
      { ...row, cost: "3", metadata: { Team: "search", "User-Id": HOSTILE } },
    ])
  })
  afterAll(() => gateway?.close())
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(gateway.release))
    expect(gateway.faults.splice(0), "exceptions, policy violations and bugs").toEqual([])
  })

  test("one is created after its words were shown, and what its window has used already counts", async () => {
    const page = await open("limits")
    await page.getByText("There are no limits").waitFor()
    await page.getByRole("button", { name: "Create limit" }).click()
    const dialog = page.getByRole("dialog", { name: "Create a limit" })
    await page.setViewportSize({ width: 1280, height: 480 })
    const button = (await dialog.getByRole("button", { name: "Create", exact: true }).boundingBox())!
    expect(button.y + button.height, "the buttons are in sight on a low screen").toBeLessThan(480)
    await dialog.getByLabel(/^Name/).fill("search")
    await dialog.getByLabel("Amount", { exact: true }).fill("fifty")
    await dialog.getByLabel("Window").selectOption("total")
    await expect.poll(() => dialog.locator(".limit-preview").textContent()).toContain("expected a plain decimal")
    await dialog.getByLabel("Amount", { exact: true }).fill("50")
    await dialog.getByLabel(/^Metadata/).fill("Team=search")
    await expect
      .poll(() => dialog.locator(".limit-preview").textContent())
      .toBe("Requests with Team=search may cost 50 USD in total.")
    await dialog.getByRole("button", { name: "Create", exact: true }).click()
    await expect.poll(() => table(page).locator("tbody tr").textContent()).toMatch(/^search.*91%\$4\.50\$50\.00/)
  })

  test("one per user shows who is near it, and leads to the requests of each", async () => {
    const page = await open("limits")
    await page.getByRole("button", { name: "Create limit" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByLabel(/^Name/).fill("users")
    await dialog.getByLabel("Amount", { exact: true }).fill("40")
    await dialog.getByLabel("Window").selectOption("total")
    await dialog.getByLabel(/^One amount per/).fill("user-id")
    await dialog.getByRole("button", { name: "Create", exact: true }).click()
    await table(page).getByRole("link", { name: "users" }).click()
    const rows = page.getByRole("table", { name: "Use by User-Id" }).locator("tbody tr")
    await expect
      .poll(() => rows.allTextContents())
      .toEqual([expect.stringMatching(/^ada106%/), expect.stringContaining(HOSTILE)])
    await page.getByRole("searchbox", { name: "Find one User-Id" }).fill("ada")
    await page.keyboard.press("Enter")
    await page.getByRole("searchbox", { name: "Find one User-Id" }).blur()
    await expect.poll(() => rows.count()).toBe(1)
    await rows.getByRole("link", { name: "ada" }).click()
    await expect.poll(() => page.url()).toContain("where=User-Id%3Dada")
    await expect.poll(() => page.locator("main").textContent()).toContain("$42.50")
  })

  test("one is changed and deleted, and one of the configuration is only shown", async () => {
    await gateway.client.query("UPDATE llm_limits SET source = 'config' WHERE name = 'users'")
    const page = await open("limits")
    await table(page).getByRole("link", { name: "users" }).click()
    await page.getByText("It stands in the configuration of the gateway").waitFor()
    expect(await page.getByRole("button", { name: "Update" }).count()).toBe(0)
    await page.getByRole("button", { name: "Close" }).click()
    await table(page).getByRole("link", { name: "search" }).click()
    await page.getByRole("button", { name: "Update" }).click()
    await page.getByLabel("Amount", { exact: true }).fill("100")
    await page.getByRole("button", { name: "Save" }).click()
    const dialog = page.getByRole("dialog", { name: "search" })
    await expect.poll(() => dialog.locator(".facts").textContent()).toContain("Left$54.50")
    await dialog.getByRole("button", { name: "Delete" }).click()
    await page.getByRole("dialog", { name: "Delete the limit" }).getByRole("button", { name: "Delete" }).click()
    await expect.poll(() => table(page).locator("tbody tr").count()).toBe(1)
  })

  test("the overview shows budgets, a key shows its limits, and a viewer changes nothing", async () => {
    await gateway.client.query(
      `INSERT INTO llm_limits (name, measure, amount, window_unit, tz, api_key_id)
       VALUES ('of the key', 'cost', 46, 'month', 'UTC', $1)`,
      [key],
    )
    const overview = await open("", "viewer")
    await expect
      .poll(() => overview.locator(".budgets").textContent())
      .toMatch(/of the key\$45\.50 of \$46\.00.*Resets in/)
    await overview.getByRole("link", { name: "of the key" }).click()
    await overview.getByRole("dialog", { name: "of the key" }).waitFor()
    expect(await overview.getByRole("button", { name: "Update" }).count()).toBe(0)
    expect(await overview.getByRole("button", { name: "Create limit" }).count()).toBe(0)
    const page = await open(`key?id=${key}`)
    await expect.poll(() => table(page).textContent()).toContain("of the key")
  })

  test("axe finds nothing at any width and in both themes, and nothing is wider than a small screen", async () => {
    const page = await open("limits")
    for (const view of ["limits", "limit", "form"]) {
      await page.goto(`${gateway.origin}/dashboard/limits`)
      await table(page).waitFor()
      if (view === "limit") await table(page).getByRole("link", { name: "users" }).click()
      if (view === "limit") await page.getByRole("table", { name: "Use by User-Id" }).waitFor()
      if (view === "form") await page.getByRole("button", { name: "Create limit" }).click()
      await expectFitsAllWidths(page, view)
    }
  })
})
