import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { Notification } from "../../src/core/notification.ts"
import { uuidV7 } from "../../src/kit/uuid.ts"
import { NOTIFICATIONS, withNames } from "../support/notifications.ts"
import { noBrowser, openGateway } from "./_gateway.ts"
import { expectFitsAllWidths } from "./_layout.ts"

const HOSTILE = `<img src=x onerror=alert(1)>"'&lt;`

/** A receiver that accepts or rejects every message. */
async function openReceiver(status: number) {
  const bodies: string[] = []
  const server: Server = createServer(async (request, response) => {
    let body = ""
    for await (const chunk of request) body += chunk
    bodies.push(body)
    response.writeHead(status).end("no")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/secret-part`
  return { url, bodies, close: () => new Promise((resolve) => server.close(resolve)) }
}

const title = `notifications in Chromium${noBrowser ? ` (skipped: ${noBrowser})` : ""}`
describe.skipIf(noBrowser !== undefined)(title, () => {
  let gateway: Awaited<ReturnType<typeof openGateway>>
  let accepting: Awaited<ReturnType<typeof openReceiver>>
  let rejecting: typeof accepting
  const opened: Page[] = []
  const open: typeof gateway.open = async (...args) => {
    const page = await gateway.open(...args)
    opened.push(page)
    return page
  }
  const card = (page: Page, name: string) => page.locator(".card").filter({ hasText: name })

  beforeAll(async () => {
    accepting = await openReceiver(200)
    rejecting = await openReceiver(404)
    gateway = await openGateway({
      MAJORDOMO_NOTIFICATIONS_CHANNELS_OPS_TYPE: "slack",
      MAJORDOMO_NOTIFICATIONS_CHANNELS_OPS_URL: accepting.url,
      MAJORDOMO_NOTIFICATIONS_CHANNELS_HOOK_TYPE: "webhook",
      MAJORDOMO_NOTIFICATIONS_CHANNELS_HOOK_URL: rejecting.url,
    })
  })
  afterAll(async () => {
    await gateway?.close()
    await accepting?.close()
    await rejecting?.close()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(gateway.release))
    expect(gateway.faults.splice(0), "exceptions, policy violations and bugs").toEqual([])
  })

  /** Stores a notification with a delivery of each state. */
  async function insert(notification: Notification, minutesAgo: number): Promise<void> {
    const { kind, subject, window, severity, facts } = notification
    const { rows } = await gateway.client.query(
      `INSERT INTO majordomo_notifications (id, identity, kind, subject, period, severity, found_at, facts, created_at)
       VALUES ($7::uuid, $7::text, $1, $2, $3, $4, now() - $6 * interval '1 minute', $5, now() - $6 * interval '1 minute') RETURNING id`,
      [kind, subject, window, severity, JSON.stringify(facts), minutesAgo, uuidV7(Date.now() - minutesAgo * 60_000)],
    )
    await gateway.client.query(
      `INSERT INTO majordomo_deliveries (id, notification_id, channel, state, attempts, sent_at, error)
       VALUES (gen_random_uuid(), $1, 'ops', 'sent', 1, now(), NULL), (gen_random_uuid(), $1, 'hook', 'failed', 12, NULL, 'the receiver answered with status 404')`,
      [rows[0].id],
    )
  }

  test("without notifications, the page says when there will be some", async () => {
    const page = await open("notifications")
    await page.getByText("There are no notifications yet").waitFor()
    expect(await card(page, "Channels").locator("tbody tr").count()).toBe(2)
    expect(await page.content(), "addresses are shown without their secrets").not.toContain("secret-part")
  })

  test("an admin tests a channel, and the page says whether its receiver accepted the message", async () => {
    const page = await open("notifications")
    await page.getByRole("button", { name: "Send a test to ops" }).click()
    await page.getByText("accepted", { exact: true }).waitFor()
    expect(accepting.bodies.join()).toContain('The channel \\"ops\\" works')
    await page.getByRole("button", { name: "Send a test to hook" }).click()
    await page.locator(".channel-error").getByText("404").waitFor()
    const viewer = await open("notifications", "viewer")
    await card(viewer, "Channels").locator("tbody tr").first().waitFor()
    expect(await viewer.getByRole("button", { name: /Send a test/ }).count()).toBe(0)
  })

  test("the list has each notification with its deliveries, a filter by kind, and a dialog with the words and the facts", async () => {
    for (const [i, each] of Object.values(NOTIFICATIONS).entries()) await insert(each as Notification, i)
    await insert(withNames({ ...NOTIFICATIONS.new_key, subject: "hostile" }, HOSTILE), 60)
    const page = await open("notifications")
    const rows = card(page, "Newest first").locator("tbody tr")
    await expect.poll(() => rows.count()).toBe(10)
    await expect.poll(() => rows.first().textContent()).toMatch(/Limit "per-user" has reached 80%.*hook failed.*ops/)
    expect(await page.locator("main img").count(), "a name is not HTML").toBe(0)

    await page.getByLabel("Kind").selectOption("anomaly")
    await expect.poll(() => rows.count()).toBe(1)
    expect(new URL(page.url()).searchParams.get("kind")).toBe("anomaly")
    await rows.first().getByRole("link").click()
    const dialog = page.getByRole("dialog")
    await dialog.getByText("What grew most: the key").waitFor()
    await dialog.getByText("the receiver answered with status 404").waitFor()
    await dialog.getByText("All facts").click()
    await dialog.getByRole("cell", { name: "nightly-evals" }).waitFor()
    await page.keyboard.press("Escape")
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0)
    await rows.first().getByRole("link").click()
    await dialog.getByRole("link", { name: "Show it" }).click()
    await expect.poll(() => new URL(page.url()).pathname).toBe("/dashboard/")
    expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({
      since: "2026-11-28T13:00:00.000Z",
      until: "2026-11-28T14:00:00.000Z",
      tz: "Europe/Berlin",
    })
  })

  test("a kind without notifications says so", async () => {
    await gateway.client.query("DELETE FROM majordomo_notifications WHERE kind = 'rows_waiting'")
    const page = await open("notifications?kind=rows_waiting")
    await page.getByText("There is no notification of the kind “Rows waiting”").waitFor()
  })

  test("axe finds nothing at any width and in both themes, and nothing is wider than a small screen", async () => {
    const page = await open("notifications")
    await card(page, "Newest first").locator("tbody tr").first().waitFor()
    await expectFitsAllWidths(page, "notifications")
    await page
      .getByRole("link")
      .filter({ has: page.locator("time") })
      .nth(7)
      .click()
    await page.getByText("All facts").click()
    await expectFitsAllWidths(page, "notification")
  })
})

describe.skipIf(noBrowser !== undefined)("without a channel", () => {
  let gateway: Awaited<ReturnType<typeof openGateway>>
  beforeAll(async () => {
    gateway = await openGateway()
  })
  afterAll(() => gateway?.close())

  test("the page shows how to set one up", async () => {
    const page = await gateway.open("notifications")
    await page.getByText("No channel is set up").waitFor()
    await page.getByText("type: slack").waitFor()
    const shots = process.env["SCREENSHOTS"]
    if (shots) await page.screenshot({ path: `${shots}/notifications-empty.png`, fullPage: true })
    expect(gateway.faults).toEqual([])
  })
})
