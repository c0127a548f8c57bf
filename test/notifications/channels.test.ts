import { createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import type { Notification } from "../../src/core/notification.ts"
import { CHAT_TYPES, type NotificationChannel } from "../../src/core/notification-settings.ts"
import { maskAddress } from "../../src/notifications/address.ts"
import { DeliveryError, type SendOptions, send } from "../../src/notifications/channels/index.ts"
import { toEmail } from "../../src/notifications/render/email.ts"
import { toSlackBody } from "../../src/notifications/render/slack.ts"
import { toMessage } from "../../src/notifications/templates/index.ts"
import { startConnectProxy } from "../support/connect-proxy.ts"
import { LOGIN, startMailServer } from "./_mail-server.ts"
import { type Receiver, SECRET_PATH, startReceiver } from "./_receiver.ts"

const NOW = Date.parse("2026-11-28T10:00:00Z")
const OPTIONS: SendOptions = { proxies: undefined, version: "1.2.3", now: () => NOW }
const ID = "0190e2a0-0000-7000-8000-000000000001"
const notification: Notification = {
  kind: "new_key",
  subject: "k",
  window: "",
  severity: "info",
  at: new Date(NOW).toISOString(),
  facts: { key_id: "k", name: "ci", provider: "openai", model: "gpt-5", request_id: "r" },
}
const delivery = { id: ID, notification, message: toMessage(notification, { dashboardUrl: undefined }) }

let receiver: Receiver
beforeAll(async () => {
  receiver = await startReceiver()
})
afterEach(() => receiver.always({ status: 200 }))
afterAll(() => receiver.close())

/** Sends to a channel that fails. */
async function fail(channel: NotificationChannel, options: Partial<SendOptions> = {}): Promise<DeliveryError> {
  const error = await send(channel, delivery, { ...OPTIONS, ...options }).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}

describe("a chat service", () => {
  test.each(CHAT_TYPES)("gets one POST of JSON at its secret address: %s", async (type) => {
    await send({ type, url: receiver.url }, delivery, OPTIONS)
    const { path, headers, json } = receiver.received.at(-1)!
    expect(path).toBe(SECRET_PATH)
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "user-agent": "majordomo-gateway/1.2.3",
      "x-majordomo-delivery": ID,
    })
    expect(json).toEqual(JSON.parse(JSON.stringify(toSlackBody(delivery.message, type))))
  })
})

describe("a webhook", () => {
  test("is signed with the time, so that the receiver can reject what somebody repeats later", async () => {
    const secret = "0123456789abcdef"
    await send({ type: "webhook", url: receiver.url, secret }, delivery, OPTIONS)
    const { headers, body, json } = receiver.received.at(-1)!
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["x-majordomo-signature"]))!
    expect(Number(t)).toBe(NOW / 1000)
    expect(v1).toBe(createHmac("sha256", secret).update(`${t}.${body}`).digest("hex"))
    expect(json).toMatchObject({ kind: "new_key", facts: { name: "ci" } })
  })

  test("is not signed without a secret", async () => {
    await send({ type: "webhook", url: receiver.url, secret: undefined }, delivery, OPTIONS)
    expect(receiver.received.at(-1)!.headers).not.toHaveProperty("x-majordomo-signature")
  })

  test("gets the user and the password of its address as a header", async () => {
    const url = receiver.url.replace("://", "://user:p%40ss@")
    await send({ type: "webhook", url, secret: undefined }, delivery, OPTIONS)
    expect(receiver.received.at(-1)!.headers.authorization).toBe(`Basic ${btoa("user:p@ss")}`)
  })

  test("is reached through the proxy of the settings", async () => {
    const proxy = await startConnectProxy()
    onTestFinished(() => proxy.close())
    const proxies = { https: undefined, http: `http://127.0.0.1:${proxy.port}`, except: [] }
    const url = receiver.url.replace("127.0.0.1", "hooks.example")
    await send({ type: "slack", url }, delivery, { ...OPTIONS, proxies })
    expect(proxy.targets).toEqual([new URL(url).host])
    expect(receiver.received.at(-1)!.path).toBe(SECRET_PATH)
    proxy.fault = 502
    const { message } = await fail({ type: "slack", url }, { proxies })
    expect(message).toMatch(/^the receiver could not be reached: .*proxy/)
    expect(message).not.toContain("T0KENPATH")
  })
})

describe("a message that is not accepted", () => {
  const channel = (): NotificationChannel => ({ type: "slack", url: receiver.url })

  test.each([
    [400, true],
    [401, true],
    [404, true],
    [410, true],
    [408, false],
    [429, false],
    [500, false],
    [503, false],
  ])("with the status %i: given up at once is %s", async (status, isPermanent) => {
    receiver.next({ status, text: "no_service" })
    expect(await fail(channel())).toMatchObject({ isPermanent, message: `the receiver answered ${status}: no_service` })
  })

  test("says how long the receiver asks to wait, in seconds or as a date", async () => {
    receiver.next({ status: 429, headers: { "Retry-After": "120" } })
    expect((await fail(channel())).retryAfterMs).toBe(120_000)
    receiver.next({ status: 503, headers: { "Retry-After": "Sat, 28 Nov 2026 10:05:00 GMT" } })
    expect((await fail(channel())).retryAfterMs).toBe(300_000)
  })

  test("is not sent to another address: redirects are not followed", async () => {
    const other = await startReceiver()
    onTestFinished(() => other.close())
    receiver.next({ status: 307, headers: { Location: other.url } })
    expect(await fail(channel())).toMatchObject({
      isPermanent: true,
      message: expect.stringContaining("307, a redirect"),
    })
    expect(other.received).toEqual([])
  })

  test("contains no secret, whatever the receiver repeats", async () => {
    const secret = "S3CRET-0123456789"
    const url = receiver.url.replace("://", "://user:P4SSWORD@")
    receiver.next({ status: 400, text: `bad ${url} ${SECRET_PATH} ${secret} P4SSWORD sk-proj-0123456789abcdefghij` })
    const { message } = await fail({ type: "webhook", url, secret })
    expect(message).toMatch(/^the receiver answered 400: bad /)
    for (const each of ["T0KENPATH", "B0KENPATH", "S3CRET", "P4SSWORD", "sk-proj"]) expect(message).not.toContain(each)
  })

  test("does not repeat the page of a proxy, and reads only the beginning of a long answer", async () => {
    receiver.next({ status: 502, text: "<html>".repeat(100_000), headers: { "Content-Type": "text/html" } })
    expect((await fail(channel())).message).toBe("the receiver answered 502")
  })

  test("ends after its time when the receiver hangs, and can be tried again", async () => {
    receiver.next("never")
    expect(await fail(channel(), { timeoutMs: 50 })).toMatchObject({
      isPermanent: false,
      message: "the receiver did not answer within 0.05 s",
    })
  })

  test("can be tried again after a broken connection, or when nobody listens", async () => {
    receiver.next("reset")
    expect(await fail(channel())).toMatchObject({
      isPermanent: false,
      message: expect.stringMatching(/the connection broke/),
    })
    const gone = await startReceiver()
    await gone.close()
    expect(await fail({ type: "slack", url: gone.url })).toMatchObject({
      isPermanent: false,
      message: "the receiver could not be reached: nothing listens at its address",
    })
  })
})

describe("an e-mail", () => {
  const channelAt = (port: number, more: object = {}): NotificationChannel => ({
    type: "email",
    to: ["a@example.com", "b@example.com"],
    from: "Gateway <gateway@example.com>",
    smtp: `smtp://${encodeURIComponent(LOGIN.user)}:${encodeURIComponent(LOGIN.password)}@127.0.0.1:${port}`,
    ...more,
  })

  test("is one mail with text and HTML to all receivers, with the id of the delivery", async () => {
    const server = await startMailServer()
    onTestFinished(() => server.close())
    expect(await send(channelAt(server.port), delivery, OPTIONS)).toBeUndefined()
    const [mail] = server.mails
    expect(server.mails).toHaveLength(1)
    expect(mail).toMatchObject({
      envelope: ["a@example.com", "b@example.com"],
      messageId: `<${ID}@example.com>`,
      from: { text: '"Gateway" <gateway@example.com>' },
    })
    const { subject, text, html } = toEmail(delivery.message)
    expect(mail!.subject).toBe(subject)
    expect([mail!.text!.trim(), String(mail!.html).trim()]).toEqual([text.trim(), html.trim()])
    expect(mail!.headers.get("auto-submitted")).toBe("auto-generated")
  })

  test("reaches the other receivers when the server rejects one of them, and says which", async () => {
    const server = await startMailServer()
    onTestFinished(() => server.close())
    server.rejected.set("b@example.com", 550)
    expect(await send(channelAt(server.port), delivery, OPTIONS)).toBe("the mail server rejected b@example.com")
    expect(server.mails[0]!.envelope).toEqual(["a@example.com"])
  })

  test("is given up when the server rejects every receiver for good, and tried again when it does for now", async () => {
    const server = await startMailServer()
    onTestFinished(() => server.close())
    for (const [code, isPermanent] of [
      [550, true],
      [451, false],
    ] as const) {
      for (const address of ["a@example.com", "b@example.com"]) server.rejected.set(address, code)
      expect(await fail(channelAt(server.port))).toMatchObject({
        isPermanent,
        message: expect.stringMatching(`answered ${code}`),
      })
    }
  })

  test("is given up when the password is wrong, and the error does not repeat it", async () => {
    const server = await startMailServer()
    onTestFinished(() => server.close())
    const error = await fail(channelAt(server.port, { smtp: `smtp://user:WR0NGPASS@127.0.0.1:${server.port}` }))
    expect(error).toMatchObject({
      isPermanent: true,
      message: expect.stringMatching(/^the mail server rejected the user or the password/),
    })
    expect(error.message).not.toContain("WR0NGPASS")
  })

  test("sends a password over TLS only, except on this machine", async () => {
    const server = await startMailServer()
    onTestFinished(() => server.close())
    // The address means this machine too, but nothing says so.
    const error = await fail(channelAt(server.port, { smtp: `smtp://user:P4SSWORD@0.0.0.0:${server.port}` }))
    expect(error.message).toMatch(/offers no TLS, and a password is sent over TLS only/)
    expect(server.mails).toEqual([])
  })

  test("is not sent to a server whose certificate nobody vouches for, nor where nobody listens", async () => {
    const tls = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url))
    const server = await startMailServer({
      secure: true,
      key: tls("server.key"),
      cert: tls("server.crt"),
      disabledCommands: [],
    })
    onTestFinished(() => server.close())
    const error = await fail(channelAt(server.port, { smtp: `smtps://user:P4SSWORD@127.0.0.1:${server.port}` }))
    expect(error.message).toBe("the TLS certificate of the mail server was not accepted")
    expect(server.mails).toEqual([])
    const gone = await startMailServer()
    await gone.close()
    expect((await fail(channelAt(gone.port))).message).toBe(
      "the mail server could not be reached: nothing listens at its address",
    )
  })

  test("ends after its time when the server hangs", async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void silent.close())
    const error = await fail(channelAt((silent.address() as AddressInfo).port), { timeoutMs: 50 })
    expect(error).toMatchObject({ isPermanent: false })
    expect(error.message).toMatch(/did not answer within 0.05 s|could not be reached/)
  })
})

test("a masked address has neither its path nor its password", () => {
  expect(maskAddress({ type: "slack", url: `https://hooks.slack.com${SECRET_PATH}` })).toBe("https://hooks.slack.com/…")
  const smtp = "smtps://user:P4SSWORD@mail.example:2525"
  expect(maskAddress({ type: "email", to: ["a@b.example"], from: "g@b.example", smtp })).toBe(
    "a@b.example by smtps://mail.example:2525",
  )
})
