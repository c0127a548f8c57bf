import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { NOTIFICATION_KINDS, type Notification } from "../../src/core/notification.ts"
import { claimDelivery, settleDelivery } from "../../src/database/deliveries.ts"
import { storeNotification } from "../../src/database/notifications.ts"
import { describeFailedDeliveries } from "../../src/operations/notifications/failed.ts"
import { type Receiver, startReceiver } from "../notifications/_receiver.ts"
import { type AdminApi, startAdminApi } from "./_api.ts"

const SECRET = "S3CRET-0123456789"
let receiver: Receiver
let admin: AdminApi
let tokens: { readonly viewer: string; readonly admin: string }
beforeAll(async () => {
  receiver = await startReceiver()
  const channels = {
    hook: { type: "webhook", url: receiver.url, secret: SECRET },
    mail: { type: "email", to: "f@example.com", from: "g@example.com", smtp: "smtps://user:P4SSWORD@mail.example" },
  }
  const rules = [
    { when: ["new_key", "limit"], to: "hook" },
    { when: "digest", every: "week", to: ["hook", "mail"] },
  ]
  admin = await startAdminApi({
    MAJORDOMO_NOTIFICATIONS_CHANNELS: JSON.stringify(channels),
    MAJORDOMO_NOTIFICATIONS_RULES: JSON.stringify(rules),
    MAJORDOMO_ADMIN_URL: "https://gateway.example.com",
  })
  tokens = { viewer: (await admin.createToken("viewer")).token, admin: (await admin.createToken("admin")).token }
})
afterAll(async () => {
  await admin?.close()
  await receiver?.close()
})

const aKey = (subject: string): Notification<"new_key"> => ({
  kind: "new_key",
  subject,
  window: "",
  severity: "info",
  at: "2026-11-28T10:00:00.000Z",
  facts: { key_id: subject, name: "ci", provider: "openai", model: "gpt-5", request_id: "r" },
})
const ask = async (path: string, token = tokens.viewer, method = "GET") => {
  const response = await admin.ask(`/notifications${path}`, token, method)
  const text = await response.text()
  for (const secret of ["T0KENPATH", "S3CRET", "P4SSWORD"]) expect(text).not.toContain(secret)
  return { status: response.status, body: JSON.parse(text) }
}

describe("the admin API", () => {
  test("lists notifications in words and with their deliveries, the newest first, page by page", async () => {
    for (const subject of ["a", "b", "c"])
      await storeNotification(admin.database.query, aKey(subject), [{ channel: "hook" }])
    const { id } = (await claimDelivery(admin.database, { channel: "hook", leaseMs: 60_000 }))!
    await settleDelivery(admin.database, id, { state: "sent" })
    const { body: first } = await ask("?limit=2")
    const { body: second } = await ask(`?limit=2&cursor=${first.next}`)
    expect([...first.items, ...second.items].map(({ subject }: { subject: string }) => subject)).toEqual([
      "c",
      "b",
      "a",
    ])
    expect(second.next).toBeNull()
    const delivery = {
      channel: "hook",
      attempts: 1,
      state: "sent",
      next_attempt_at: null,
      sent_at: expect.any(String),
      error: null,
    }
    expect(second.items[0]).toEqual({
      id: expect.any(String),
      ...aKey("a"),
      title: expect.any(String),
      summary: expect.any(String),
      deliveries: [delivery],
    })
    expect(first.items[0].deliveries[0]).toMatchObject({ state: "waiting", next_attempt_at: expect.any(String) })
    expect((await ask("?kind=digest")).body).toEqual({ items: [], next: null })
    expect((await ask("?kind=weather")).status).toBe(400)
  })

  test("lists channels with what the rules send to them, without what is secret", async () => {
    expect((await ask("/channels")).body).toEqual([
      {
        name: "hook",
        type: "webhook",
        address: `${receiver.origin}/…`,
        kinds: ["new_key", "limit"],
        digests: ["week at 09:00"],
        last_sent_at: expect.any(String),
        last_error: null,
      },
      {
        name: "mail",
        type: "email",
        address: "f@example.com by smtps://mail.example",
        kinds: [],
        digests: ["week at 09:00"],
        last_sent_at: null,
        last_error: null,
      },
    ])
  })

  test("sends a test message for an admin, who is named by the audit log", async () => {
    expect((await ask("/channels/hook/test", tokens.viewer, "POST")).status).toBe(403)
    expect(receiver.received).toEqual([])
    const { status, body } = await ask("/channels/hook/test", tokens.admin, "POST")
    expect({ status, body }).toEqual({ status: 200, body: { channel: "hook", accepted: true, error: null } })
    expect(receiver.received[0]!.json).toMatchObject({ kind: "test" })
    receiver.next({ status: 404, text: `no ${receiver.url} ${SECRET}` })
    expect((await ask("/channels/hook/test", tokens.admin, "POST")).body).toEqual({
      channel: "hook",
      accepted: false,
      error: "the receiver answered 404: no *** ***",
    })
    const { rows } = await admin.database.query(
      "SELECT actor_name, action, target, after FROM llm_audit WHERE action = 'notifications.test' ORDER BY at DESC LIMIT 1",
    )
    expect(rows).toEqual([
      {
        actor_name: "admin",
        action: "notifications.test",
        target: "hook",
        after: { accepted: false, error: "the receiver answered 404: no *** ***" },
      },
    ])
  })

  test("says which channels there are if the tested one is not among them", async () => {
    const { status, body } = await ask("/channels/constructor/test", tokens.admin, "POST")
    expect(status).toBe(404)
    expect(body.detail).toBe('there is no channel "constructor": notifications.channels has hook, mail')
  })

  test("and status say which channel does not get its messages", async () => {
    await storeNotification(admin.database.query, aKey("d"), [{ channel: "mail" }])
    expect(await describeFailedDeliveries(admin)).toEqual([])
    const { id } = (await claimDelivery(admin.database, { channel: "mail", leaseMs: 60_000 }))!
    await settleDelivery(admin.database, id, { state: "failed", error: "the mail server answered 550 no" })
    const [, mail] = (await ask("/channels")).body
    expect(mail).toMatchObject({ name: "mail", last_error: "the mail server answered 550 no" })
    expect(await describeFailedDeliveries(admin)).toEqual([
      "1 notification was not delivered to mail in the last 24 hours (the mail server answered 550 no): see notify list, and notify test mail",
    ])
  })

  test("names all kinds in its description", async () => {
    const openapi = (await (await admin.ask("/openapi.json", tokens.viewer)).json()) as object
    for (const kind of NOTIFICATION_KINDS) expect(JSON.stringify(openapi)).toContain(`"${kind}"`)
  })
})
