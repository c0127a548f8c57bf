import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { describeSettings } from "../../src/server/describe.ts"
import { loadSettings } from "../../src/server/settings.ts"

let cwd: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "mdm-notifications-"))
})
afterAll(() => rmSync(cwd, { recursive: true }))

const load = (yaml: string, env: Readonly<Record<string, string>> = {}) => {
  writeFileSync(join(cwd, "majordomo.yaml"), yaml)
  return loadSettings({ cwd, env, systemFile: join(cwd, "none.yaml") })
}
const errorOf = (yaml: string, env: Readonly<Record<string, string>> = {}) =>
  load(yaml, env).then(
    () => "accepted",
    (error: Error) => error.message,
  )

const CHANNELS = `
notifications:
  channels:
    hook: { type: webhook, url: "https://hook.example/T0KENPATH", secret: "0123456789abcdef-S3CRET" }
    ops: { type: slack, url: "https://hooks.slack.example/services/T0KENPATH" }
    finance: { type: email, to: [f@example.com], from: Gateway <g@example.com>, smtp: "smtps://user:P4SSWORD@mail.example" }
`
const SECRETS = ["T0KENPATH", "S3CRET", "P4SSWORD"]

describe("channels of notifications", () => {
  test("are read by name, with the fields of their type", async () => {
    const { settings } = await load(CHANNELS)
    expect(settings.notifications).toEqual({
      channels: {
        hook: { type: "webhook", url: "https://hook.example/T0KENPATH", secret: "0123456789abcdef-S3CRET" },
        ops: { type: "slack", url: "https://hooks.slack.example/services/T0KENPATH" },
        finance: {
          type: "email",
          to: ["f@example.com"],
          from: "Gateway <g@example.com>",
          smtp: "smtps://user:P4SSWORD@mail.example",
        },
      },
      rules: undefined,
      timezone: "UTC",
    })
  })

  test("take single fields from variables of their own, so that no secret need stand in the file", async () => {
    const { settings, sources } = await load("notifications: { channels: { on-call: { type: slack } } }", {
      MAJORDOMO_NOTIFICATIONS_CHANNELS_ON_CALL_URL: "https://hooks.example/1",
      MAJORDOMO_NOTIFICATIONS_CHANNELS_MAIL_TYPE: "email",
      MAJORDOMO_NOTIFICATIONS_CHANNELS_MAIL_TO: "a@example.com, b@example.com",
      MAJORDOMO_NOTIFICATIONS_CHANNELS_MAIL_FROM: "g@example.com",
      MAJORDOMO_NOTIFICATIONS_CHANNELS_MAIL_SMTP: "smtp://mail.example",
    })
    expect(settings.notifications.channels).toEqual({
      "on-call": { type: "slack", url: "https://hooks.example/1" },
      mail: {
        type: "email",
        to: ["a@example.com", "b@example.com"],
        from: "g@example.com",
        smtp: "smtp://mail.example",
      },
    })
    expect(sources["notifications.channels"]).toMatch(
      /^majordomo\.yaml, MAJORDOMO_NOTIFICATIONS_CHANNELS_ON_CALL_URL, /,
    )
  })

  test("can be one variable with JSON", async () => {
    const channels = { ops: { type: "teams", url: "https://teams.example/1" } }
    const { settings } = await load("", { MAJORDOMO_NOTIFICATIONS_CHANNELS: JSON.stringify(channels) })
    expect(settings.notifications.channels).toEqual(channels)
  })

  test.each([
    [
      "ops: { type: slak, url: https://a.example }",
      '.ops.type (majordomo.yaml): expected one of webhook, slack, discord, teams, mattermost, email, got "slak"; did you mean slack?',
    ],
    [
      "ops: { url: https://a.example }",
      ".ops.type (majordomo.yaml): expected one of webhook, slack, discord, teams, mattermost, email, got nothing",
    ],
    [
      "ops: { type: slack, uri: https://a.example }",
      ".ops.uri (majordomo.yaml): a channel of the type slack has no such field; did you mean url?",
    ],
    ["ops: { type: slack }", ".ops.url (majordomo.yaml): expected an http:// or https:// address, got nothing"],
    [
      "ops: { type: slack, url: ftp://T0KENPATH }",
      ".ops.url (majordomo.yaml): expected an http:// or https:// address, got another value (not shown)",
    ],
    [
      "hook: { type: webhook, url: https://a.example, secret: S3CRET }",
      ".hook.secret (majordomo.yaml): expected text of at least 16 characters, got another value (not shown)",
    ],
    [
      "mail: { type: email, to: nobody, from: g@a.example, smtp: smtp://m }",
      ".mail.to (majordomo.yaml): expected e-mail addresses, got another value (not shown)",
    ],
    [
      'mail: { type: email, to: a@b.example, from: "g@a.example\\nBcc: x@y", smtp: smtp://m }',
      ".mail.from (majordomo.yaml): expected an e-mail address, such as gateway@example.com, got another value (not shown)",
    ],
    [
      "mail: { type: email, to: a@b.example, from: g@a.example, smtp: https://user:P4SSWORD@m }",
      ".mail.smtp (majordomo.yaml): expected smtp:// or smtps:// with a host, such as smtps://user:password@smtp.example.com, got another value (not shown)",
    ],
    [
      "a b: { type: slack, url: https://a.example }",
      ".a b (majordomo.yaml): expected a name of at most 40 letters, digits, - and _",
    ],
    [
      "ops: https://T0KENPATH.example",
      ".ops (majordomo.yaml): expected a channel with a type, got another value (not shown)",
    ],
  ])("with a mistake are reported with the path and without the value: %s", async (channel, message) => {
    expect(await errorOf(`notifications:\n  channels:\n    ${channel}\n`)).toBe(`notifications.channels${message}`)
  })

  test("show no secret in what the start says about the settings", async () => {
    const text = describeSettings(await load(CHANNELS)).join("\n")
    for (const secret of SECRETS) expect(text).not.toContain(secret)
  })
})

describe("rules of notifications", () => {
  const withRules = (rules: string) => `${CHANNELS}  rules: ${rules}\n`

  test("name kinds and channels, with filters", async () => {
    const { settings } = await load(
      `${withRules('[{ when: [limit], to: ops, limit: search, severity: critical }, { when: all, to: [ops, hook] }, { when: digest, every: week, at: "07:30", to: finance }]')}  timezone: europe/berlin\n`,
    )
    const none = { severity: undefined, limits: undefined, providers: undefined, digest: undefined }
    expect(settings.notifications.timezone).toBe("Europe/Berlin")
    expect(settings.notifications.rules).toEqual([
      { ...none, kinds: ["limit"], to: ["ops"], limits: ["search"], severity: "critical" },
      { ...none, kinds: expect.arrayContaining(["limit", "new_key"]), to: ["ops", "hook"] },
      { ...none, kinds: ["digest"], to: ["finance"], digest: { every: "week", at: "07:30" } },
    ])
    expect(settings.notifications.rules![1]!.kinds).not.toContain("digest")
  })

  test.each([
    ["[{ when: limits, to: ops }]", '[0].when (majordomo.yaml): there is no kind "limits"; did you mean limit?'],
    ["[{ when: limit }]", "[0].to (majordomo.yaml): expected names of channels, got nothing"],
    [
      "[{ when: limit, to: ops }, { when: limit, to: [ops, hok] }]",
      '[1].to[1] (majordomo.yaml): there is no channel "hok"; did you mean hook?',
    ],
    [
      "[{ when: limit, to: ops, kind: x }]",
      "[0].kind (majordomo.yaml): a rule has no such field; it has when, to, severity, limit, provider, every, at",
    ],
    ["[{ when: digest, to: ops }]", "[0].every (majordomo.yaml): expected day, week or month, got nothing"],
    [
      "[{ when: digest, every: year, to: ops }]",
      '[0].every (majordomo.yaml): expected one of day, week, month, got "year"',
    ],
    [
      '[{ when: digest, every: day, at: "25:00", to: ops }]',
      '[0].at (majordomo.yaml): expected a time of day such as "09:00", got "25:00"',
    ],
    ["[{ when: [digest, limit], every: day, to: ops }]", "[0].when (majordomo.yaml): a digest needs a rule of its own"],
    ["[{ when: limit, every: day, to: ops }]", "[0].every (majordomo.yaml): only the kind digest has such a field"],
    [
      "[{ when: new_key, limit: a, to: ops }]",
      "[0].limit (majordomo.yaml): notifications of the kind new_key have no such thing; only limit",
    ],
    ["{ when: limit }", " (majordomo.yaml): expected a list of rules, each with when and to, got a section"],
  ])("with a mistake are reported with the path: %s", async (rules, message) => {
    expect(await errorOf(withRules(rules))).toBe(`notifications.rules${message}`)
  })
})
