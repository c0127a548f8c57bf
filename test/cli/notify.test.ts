import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { storeNotification } from "../../src/database/notifications.ts"
import { openPostgres } from "../../src/database/open.ts"
import { LOGIN, type MailServer, startMailServer } from "../notifications/_mail-server.ts"
import { type Receiver, startReceiver } from "../notifications/_receiver.ts"
import { postgresAt } from "../support/databases.ts"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

let receiver: Receiver
let mailServer: MailServer
let installation: Installation
beforeAll(async () => {
  receiver = await startReceiver()
  mailServer = await startMailServer()
  const login = `${encodeURIComponent(LOGIN.user)}:${encodeURIComponent(LOGIN.password)}`
  const { url } = await createTestDatabase()
  const channels = {
    ops: { type: "slack", url: receiver.url },
    mail: {
      type: "email",
      to: "f@example.com",
      from: "g@example.com",
      smtp: `smtp://${login}@127.0.0.1:${mailServer.port}`,
    },
  }
  installation = createInstallation(
    {
      DATABASE_URL: url,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_NOTIFICATIONS_CHANNELS: JSON.stringify(channels),
      MAJORDOMO_NOTIFICATIONS_RULES: JSON.stringify([
        { when: ["new_key", "limit"], to: "ops" },
        { when: "digest", every: "month", at: "07:00", to: "mail" },
      ]),
    },
    { inProcess: true },
  )
  const database = await openPostgres(postgresAt(url).postgres)
  const facts = { key_id: "k", name: "ci", provider: "openai", model: "gpt-5", request_id: "r" }
  const at = "2026-11-28T10:00:00.000Z"
  const notification = { kind: "new_key", subject: "k", window: "", severity: "info", at, facts } as const
  const error = "the receiver answered 503"
  await storeNotification(database.query, notification, [{ channel: "ops", error }])
  await database.close()
})
afterAll(async () => {
  await installation?.remove()
  await receiver?.close()
  await mailServer?.close()
})

describe("notify", () => {
  test("list shows the channels, what they get, and the newest notifications", async () => {
    const { code, stdout, stderr } = await installation.run(["notify", "list"])
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/^ops +slack +http:\/\/127\.0\.0\.1:\d+\/… +new_key, limit +- +the receiver answered 503$/m)
    expect(stdout).toMatch(
      /^mail +email +f@example\.com by smtp:\/\/127\.0\.0\.1:\d+ +digest every month at 07:00 +- +-$/m,
    )
    expect(stdout).toMatch(/^2026-11-28 10:00.* new_key +.*ops \(waiting\)$/m)
    expect(stdout).not.toMatch(/T0KENPATH|P4SSWORD/)
  })

  test("list --json has both, for programs", async () => {
    const json = (await installation.runJson(["notify", "list"])) as {
      readonly channels: readonly { readonly name: string }[]
      readonly notifications: readonly object[]
    }
    expect(json.channels.map(({ name }) => name)).toEqual(["ops", "mail"])
    expect(json.notifications).toMatchObject([{ kind: "new_key", deliveries: [{ channel: "ops", state: "waiting" }] }])
    expect(await installation.runJson(["notify", "list", "--kind", "limit"])).toMatchObject({
      notifications: [],
    })
  })

  test("test sends an e-mail, with what the program bundles for it", async () => {
    const sent = await installation.run(["notify", "test", "mail"])
    expect(sent).toMatchObject({ code: 0, stdout: "mail has accepted the message.\n" })
    expect(mailServer.mails).toMatchObject([{ envelope: ["f@example.com"], from: { text: "g@example.com" } }])
  })

  test("test needs neither a database nor a gateway that has been started, and says that nothing was stored", async () => {
    const channels = JSON.stringify({ ops: { type: "slack", url: receiver.url } })
    const fresh = createInstallation({ MAJORDOMO_NOTIFICATIONS_CHANNELS: channels }, { inProcess: true })
    try {
      const sent = await fresh.run(["notify", "test", "ops"])
      expect(sent).toMatchObject({ code: 0, stdout: "ops has accepted the message.\n" })
      expect(sent.stderr).toBe("note: the audit log does not have this, because there is no database yet\n")
      const away = { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" }
      const unreachable = await fresh.run(["notify", "test", "ops"], away)
      expect(unreachable).toMatchObject({ code: 0, stdout: "ops has accepted the message.\n" })
      expect(unreachable.stderr).toMatch(
        /^note: the audit log does not have this, because the database cannot be opened: /,
      )
    } finally {
      await fresh.remove()
    }
  })

  test("list rejects a kind that there is not", async () => {
    const { code, stderr } = await installation.run(["notify", "list", "--kind", "weather"])
    expect(code).toBe(2)
    expect(stderr).toMatch(/kind/)
  })

  test("test sends one message, and fails with what the receiver says", async () => {
    const sent = await installation.run(["notify", "test", "ops"])
    expect(sent).toMatchObject({ code: 0, stdout: "ops has accepted the message.\n" })
    receiver.next({ status: 404, text: "no_service" })
    const failed = await installation.run(["notify", "test", "ops"])
    expect(failed).toMatchObject({ code: 1, stdout: "" })
    expect(failed.stderr).toBe("error: ops did not accept the message: the receiver answered 404: no_service\n")
    const missing = await installation.run(["notify", "test", "opps"])
    expect(missing.code).toBe(1)
    expect(missing.stderr).toBe('error: there is no channel "opps": notifications.channels has ops, mail\n')
  })
})
