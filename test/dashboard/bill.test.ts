import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { aReconciliation, dayAgo, insertReconciliation } from "../support/reconciliations.ts"
import { noBrowser, openGateway } from "./_gateway.ts"
import { expectFitsAllWidths } from "./_layout.ts"

const HOSTILE = `<img src=x onerror=alert(1)>"'&lt;`

describe.skipIf(noBrowser !== undefined)(`the bill in Chromium${noBrowser ? ` (skipped: ${noBrowser})` : ""}`, () => {
  let gateway: Awaited<ReturnType<typeof openGateway>>
  const opened: Page[] = []
  const open: typeof gateway.open = async (...args) => {
    const page = await gateway.open(...args)
    opened.push(page)
    return page
  }
  const card = (page: Page, name: string) => page.locator(".card").filter({ hasText: name })

  beforeAll(async () => {
    gateway = await openGateway()
  })
  afterAll(() => gateway?.close())
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(gateway.release))
    expect(gateway.faults.splice(0), "exceptions, policy violations and bugs").toEqual([])
  })

  test("without a comparison, the page says how to configure one, and nothing can be fetched", async () => {
    const page = await open("bill")
    await page.getByText("No bill was compared yet").waitFor()
    await page.getByText("OPENAI_ADMIN_KEY").waitFor()
    expect(await page.getByRole("button", { name: "Fetch now" }).isDisabled()).toBe(true)
  })

  test("each account has both sides, the causes with their amounts and commands, and the days that still settle", async () => {
    await insertReconciliation(gateway.client, aReconciliation())
    await insertReconciliation(
      gateway.client,
      aReconciliation({ provider: "gemini", account: HOSTILE, source: "import", gap: "0" }),
    )
    const page = await open("bill")
    const openai = card(page, "openai")
    await expect
      .poll(() => openai.locator(".tiles").textContent())
      .toMatch(/Billed\$1,204\.33Recorded\$1,198\.02.*99\.5% of the bill/)
    await expect.poll(() => openai.locator(".tiles").textContent()).toContain("Needs attention$6.31$12.04 is tolerated")
    const causes = openai.locator(".bill-causes li")
    await expect
      .poll(() => causes.allTextContents())
      .toEqual([
        expect.stringMatching(/^Outside the gatewaygpt-5-mini, key_4f2a, evals\$5\.10.*The bill has 312 requests/),
        expect.stringMatching(
          /^Price differsgpt-5\.5, cache read\$1\.21.*reconcile fix --provider openai --model gpt-5\.5/,
        ),
      ])
    await openai.getByText("The provider may still add to").waitFor()
    await expect.poll(() => card(page, "gemini").textContent()).toContain("Both sides are equal to the last digit")
    expect(await page.locator(".card img").count()).toBe(0)
  })

  test("a cause leads to its requests, and a day of the trend to the requests of the day", async () => {
    const page = await open("bill")
    await card(page, "openai").getByRole("link", { name: "Show the requests" }).click()
    const address = () => Object.fromEntries(new URL(page.url()).searchParams)
    await expect.poll(address).toMatchObject({ provider: "openai", model: "gpt-5.5", tz: "UTC", since: dayAgo(2) })
    await page.goBack()
    const days = card(page, "openai").getByRole("navigation", { name: "The difference of openai by day" })
    await days.getByRole("link").last().click()
    await expect.poll(address).toMatchObject({ provider: "openai", since: dayAgo(0), until: dayAgo(0) })
  })

  test("a viewer neither fetches nor imports", async () => {
    const page = await open("bill", "viewer")
    await card(page, "openai").waitFor()
    expect(await page.getByRole("button", { name: /Fetch now|Import/ }).count()).toBe(0)
  })

  test("axe finds nothing at any width and in both themes, and nothing is wider than a small screen", async () => {
    const page = await open("bill")
    await card(page, "openai").waitFor()
    await expectFitsAllWidths(page, "bill")
    await page.getByRole("button", { name: "Import a bill" }).click()
    await expectFitsAllWidths(page, "import")
  })
})
