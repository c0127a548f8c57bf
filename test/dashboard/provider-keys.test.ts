import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { initVault } from "../../src/operations/vault/init.ts"
import { findBarriers } from "../support/axe.ts"
import { insertKey } from "../support/usage-rows.ts"
import { type Gateway, noBrowser, openGateway } from "./_gateway.ts"

const SECRET = "sk-proj-dashboard-0123456789-first"
const ROTATED = "sk-proj-dashboard-0123456789-next"
const ACCESS_KEY = "AKIADASHBOARD0123456"
const AWS_SECRET = "aws-secret-of-the-dashboard-0123456789"
const HOSTILE = `<img src=x onerror=alert(1)>"'&lt;`

describe.skipIf(noBrowser !== undefined)(
  `provider keys in Chromium${noBrowser ? ` (skipped: ${noBrowser})` : ""}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), "mdm-provider-keys-"))
    let gateway: Gateway
    const opened: Page[] = []
    /** All that the pages received, and the addresses of what they asked for. */
    const received: string[] = []
    const reading: Promise<unknown>[] = []

    const open: typeof gateway.open = async (...args) => {
      const page = await gateway.open(...args)
      page.on("response", (response) => {
        received.push(response.url())
        reading.push(response.text().then(received.push.bind(received), () => {}))
      })
      opened.push(page)
      return page
    }
    const openKey = (page: Page, name: string) =>
      page.getByRole("table", { name: "Active provider keys" }).getByRole("link", { name }).click()

    beforeAll(async () => {
      gateway = await openGateway({ MAJORDOMO_STORAGE_DATA_DIR: dir })
      await insertKey(gateway.client, HOSTILE)
    })
    afterAll(async () => {
      await gateway?.close()
      rmSync(dir, { recursive: true, force: true })
    })
    afterEach(async () => {
      await Promise.all(reading.splice(0))
      await Promise.all(opened.splice(0).map(gateway.release))
      expect(gateway.faults.splice(0), "exceptions, policy violations and bugs").toEqual([])
    })

    test("without a vault key, the page says how to make one, and adds nothing", async () => {
      const page = await open("provider-keys")
      await page.getByText("The gateway holds no provider key").waitFor()
      expect(await page.locator("main").textContent()).toContain("majordomo-gateway vault init")
      expect(await page.getByRole("button", { name: "Add provider key" }).count()).toBe(0)
      initVault(gateway)
      await page.reload()
      await page.getByRole("button", { name: "Add provider key" }).waitFor()
      expect(await page.locator("main .is-warned").count()).toBe(0)
    })

    test("a key is added, is the default, and its secret is in no page, response or address", async () => {
      const page = await open("provider-keys")
      await page.getByRole("button", { name: "Add provider key" }).click()
      const dialog = page.getByRole("dialog", { name: "Add a provider key" })
      const providers = dialog.getByLabel(/^Provider/)
      expect(await providers.locator("option").allTextContents()).toEqual([
        "Choose a provider",
        ...Object.keys(gateway.settings.providers),
      ])
      await dialog.getByLabel("Secret").fill("mdm_sk_no_key_of_a_provider")
      expect(await dialog.getByLabel("Secret").getAttribute("type")).toBe("password")
      await dialog.getByRole("button", { name: "Add", exact: true }).click()
      expect(await dialog.locator("select:invalid").count()).toBe(1)
      await providers.selectOption("openai")
      await dialog.getByRole("button", { name: "Add", exact: true }).click()
      await expect.poll(() => dialog.getByRole("alert").textContent()).toContain("API key of the gateway")
      await dialog.getByLabel("Secret").fill(SECRET)
      await dialog.getByRole("button", { name: "Add", exact: true }).click()
      const row = page.getByRole("table", { name: "Active provider keys" }).locator("tbody tr")
      await expect.poll(() => row.textContent()).toMatch(/^openai:defaultdefault.*irst/)
      expect(await dialog.count()).toBe(0)
      expect(await page.content()).not.toContain(SECRET)
      expect(page.url()).not.toContain(SECRET)
    })

    test("an access key of AWS has two fields, and another alias is not the default", async () => {
      const page = await open("provider-keys")
      const form = page.getByRole("dialog")
      for (const [provider, alias] of [
        ["bedrock", ""],
        ["bedrock", "team-b"],
      ] as const) {
        await page.getByRole("button", { name: "Add provider key" }).click()
        await form.getByLabel(/^Provider/).selectOption(provider)
        await form.getByLabel("Alias").fill(alias)
        await form.getByLabel("Kind").selectOption("aws")
        await form.getByLabel("Access key id").fill(ACCESS_KEY)
        await form.getByLabel("Secret access key").fill(AWS_SECRET)
        await page.getByRole("button", { name: "Add", exact: true }).click()
        await page.getByRole("dialog").waitFor({ state: "detached" })
      }
      await openKey(page, "bedrock:team-b")
      const dialog = page.getByRole("dialog", { name: "bedrock:team-b" })
      await expect.poll(() => dialog.locator(".facts").textContent()).toMatch(/Defaultno.*access key of AWS.*3456/)
      await dialog.getByRole("button", { name: "Make default" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Make default" }).click()
      await expect.poll(() => dialog.locator(".facts").textContent()).toContain("Defaultof bedrock")
      expect(await dialog.getByRole("button", { name: "Make default" }).count()).toBe(0)
    })

    test("an API key is bound to a provider key when it is created and updated, and both pages say so", async () => {
      const page = await open("keys")
      await page.waitForLoadState("networkidle")
      await page.getByRole("button", { name: "Create key" }).click()
      await page.getByLabel(/^Name/).fill("Bound")
      await page.getByLabel("Provider key of openai").selectOption("default")
      await page.getByRole("button", { name: "Create", exact: true }).click()
      await page.getByRole("button", { name: "I have stored it" }).click()
      await page.getByRole("link", { name: "Bound", exact: true }).click()
      await expect.poll(() => page.locator(".facts").textContent()).toContain("Provider keysopenai:default")
      await page.waitForLoadState("networkidle")
      await page.getByRole("button", { name: "Update" }).click()
      await page.getByLabel("Provider key of bedrock").selectOption("team-b")
      await page.getByRole("button", { name: "Save" }).click()
      await expect.poll(() => page.locator(".facts").textContent()).toContain("bedrock:team-b, openai:default")
      await page.getByRole("button", { name: "Update" }).click()
      await page.getByLabel("Provider key of bedrock").selectOption("")
      await page.getByRole("button", { name: "Save" }).click()
      await expect.poll(() => page.locator(".facts").textContent()).not.toContain("bedrock")
    })

    test("the name of a bound API key is text wherever it stands, whatever is in it", async () => {
      await gateway.client.query(
        `UPDATE api_keys SET provider_keys = (SELECT jsonb_build_object('bedrock', id) FROM provider_api_keys WHERE alias = 'team-b')
         WHERE name = $1`,
        [HOSTILE],
      )
      const page = await open("provider-keys")
      const row = page.getByRole("table", { name: "Active provider keys" }).locator("tbody tr", { hasText: "team-b" })
      await expect.poll(() => row.locator("bdi.cut").textContent()).toBe(HOSTILE)
      expect(await row.locator("bdi.cut").getAttribute("title")).toBe(HOSTILE)
      await openKey(page, "bedrock:team-b")
      const dialog = page.getByRole("dialog", { name: "bedrock:team-b" })
      await dialog.getByRole("link", { name: HOSTILE, exact: true }).waitFor()
      await dialog.getByRole("button", { name: "Remove" }).click()
      expect(await page.getByRole("dialog").locator("li").allTextContents()).toEqual([HOSTILE])
      expect(await page.locator("img[onerror]").count()).toBe(0)
      await gateway.client.query("UPDATE api_keys SET provider_keys = NULL WHERE name = $1", [HOSTILE])
    })

    test("a key is rotated, and before it is removed, the page names the API keys that are bound to it", async () => {
      const page = await open("provider-keys")
      await openKey(page, "openai:default")
      const dialog = page.getByRole("dialog", { name: "openai:default" })
      await dialog.getByRole("button", { name: "Rotate" }).click()
      await page.getByLabel("Secret").fill(ROTATED)
      await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click()
      await expect.poll(() => dialog.locator(".facts").textContent()).toContain("Ends withnext")
      await dialog.getByRole("button", { name: "Remove" }).click()
      const question = page.getByRole("dialog", { name: "Remove the provider key" })
      await expect.poll(() => question.textContent()).toMatch(/Requests to openai .* are rejected.*Bound.*the last key/)
      await question.getByRole("button", { name: "Remove" }).click()
      const result = page.getByRole("dialog", { name: "The provider key is removed" })
      await expect.poll(() => result.textContent()).toContain("Revoke it at the provider, too.")
      await result.getByRole("button", { name: "Done" }).click()
      await expect
        .poll(() => page.getByRole("table", { name: "Removed provider keys" }).textContent())
        .toContain("openai:default")
      await page.goto(`${gateway.origin}/dashboard/keys`)
      await page.getByRole("link", { name: "Bound", exact: true }).click()
      await expect.poll(() => page.locator(".facts").textContent()).toContain("openai:default (removed)")
    })

    test("the audit log names provider keys by provider and alias", async () => {
      const page = await open("audit")
      const table = page.getByRole("table", { name: "Changes" })
      await expect.poll(() => table.textContent()).toContain("Removed the provider key openai:default")
    })

    test("keys under a vault key that the gateway does not have are counted, with what to do", async () => {
      const file = join(dir, "vault.key")
      const before = readFileSync(file)
      rmSync(file)
      initVault(gateway)
      const page = await open("provider-keys")
      const note = page.locator("main .is-warned")
      await expect.poll(() => note.textContent()).toMatch(/^2 of these keys cannot be decrypted.*vault\.previous_keys/)
      writeFileSync(file, before, { mode: 0o600 })
    })

    test("a viewer sees the keys and no button that changes something", async () => {
      const page = await open("provider-keys", "viewer")
      await openKey(page, "bedrock:team-b")
      const dialog = page.getByRole("dialog")
      expect(await dialog.getByRole("button").allTextContents()).toEqual(["Close"])
      await dialog.getByRole("button").click()
      expect(await page.locator("main button").allTextContents()).toEqual([])
    })

    test("axe finds nothing in the page and its dialogs, and nothing is wider than a narrow page, in both themes", async () => {
      const page = await open("provider-keys", "admin", { viewport: { width: 360, height: 800 } })
      const check = async (what: string) => {
        expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), what).toBeLessThanOrEqual(0)
        const cut = "[...document.querySelectorAll('dialog')].some((each) => each.scrollWidth > each.clientWidth)"
        expect(await page.evaluate(cut), what).toBe(false)
        expect(await findBarriers(page), what).toEqual([])
      }
      await page.getByRole("table", { name: "Active provider keys" }).waitFor()
      await check("the page")
      await page.getByRole("button", { name: "Add provider key" }).click()
      await check("the dialog that adds a key")
      await page.keyboard.press("Escape")
      await openKey(page, "bedrock:team-b")
      await page.getByRole("dialog", { name: "bedrock:team-b" }).waitFor()
      await check("the dialog of a key")
      await page.getByRole("button", { name: "Remove" }).click()
      await check("the dialog that removes a key")
    })

    test("no page received a secret, and no address contained one", () => {
      expect(received.length).toBeGreaterThan(50)
      for (const secret of [SECRET, ROTATED, AWS_SECRET]) {
        expect(received.filter((text) => text.includes(secret))).toEqual([])
      }
    })
  },
)
