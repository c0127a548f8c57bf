import { describe, expect, test } from "vitest"
import type { Notification, NotificationKind } from "../../src/core/notification.ts"
import { toEmail } from "../../src/notifications/render/email.ts"
import { toWebhookBody } from "../../src/notifications/render/json.ts"
import { toSlackBody } from "../../src/notifications/render/slack.ts"
import { toMessage, toTestMessage } from "../../src/notifications/templates/index.ts"
import { NOTIFICATIONS, withNames } from "../support/notifications.ts"

const CONTEXT = { dashboardUrl: "https://gateway.example.com/dashboard/" }
const KINDS = Object.keys(NOTIFICATIONS) as NotificationKind[]
const FLAVORS = ["slack", "mattermost", "discord", "teams"] as const
const HOSTILE = [
  "<script>alert(1)</script><img src=x onerror=alert(1)>",
  "@everyone @channel @here <@U123> <!channel> <@&42> <at>all</at>",
  "[click](https://evil.example) <https://evil.example|click> www.evil.example evil.example",
  "**bold** _it_ ~~no~~ `code` ```block``` # head | cell | :tada:",
  "line\r\nBcc: victim@example.com\r\n\r\nbody \u202Egnp.exe\u0000",
  `"'&amp;" style="background:url(https://evil.example)`,
  "x".repeat(1000),
  "名前".repeat(200),
  "",
]

const MAIL_TAGS = "html head meta title body div table tr td th thead tbody h1 h2 p ul li a".split(" ")

const toMessageOf = (kind: NotificationKind, name?: string) => {
  const notification = NOTIFICATIONS[kind] as Notification
  return toMessage(name === undefined ? notification : withNames(notification, name), CONTEXT)
}

/** Returns all texts in a value of JSON. */
function listTexts(value: unknown): string[] {
  if (typeof value === "string") return [value]
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(listTexts) : []
}

/** Returns all objects in a value of JSON that have a type. */
function listElements(value: unknown): Record<string, unknown>[] {
  if (typeof value !== "object" || value === null) return []
  const own = "type" in value ? [value as Record<string, unknown>] : []
  return [...own, ...Object.values(value).flatMap(listElements)]
}

describe.each(KINDS)("a notification of the kind %s", (kind) => {
  const message = toMessageOf(kind)

  test("says the fact in one line, then what to do, and leads to a page of the dashboard", () => {
    expect(message.title).not.toMatch(/\n|undefined|null|NaN/)
    expect(message.title.length).toBeLessThan(150)
    expect(message.summary).not.toMatch(/undefined|null|NaN/)
    expect(message.link?.url).toMatch(/^https:\/\/gateway\.example\.com\/dashboard\//)
    expect(toMessage(NOTIFICATIONS[kind] as Notification, { dashboardUrl: undefined }).link).toBeUndefined()
  })

  test("is the same in words in each channel", () => {
    const { subject, text } = toEmail(message)
    expect(subject).toBe(message.title)
    for (const flavor of FLAVORS) {
      const flat = listTexts(toSlackBody(message, flavor)).join("\n").replaceAll("\u200B", "").replaceAll("\\", "")
      for (const { label, value } of message.fields) {
        expect(flat, flavor).toContain(value)
        expect(text.replaceAll("\u200B", ""), label).toContain(value)
      }
    }
    const body = toWebhookBody(NOTIFICATIONS[kind], message)
    expect(JSON.parse(JSON.stringify(body))).toMatchObject({ version: 1, kind, title: message.title })
  })

  test.each(HOSTILE)("a name is neither markup nor a link, a mention or a header: %j", (name) => {
    const hostile = toMessageOf(kind, name)
    expectSafeMail(toEmail(hostile))
    expectSafeSlack(toSlackBody(hostile, "slack"))
    expectSafeTeams(toSlackBody(hostile, "teams"))
    for (const flavor of ["discord", "mattermost"] as const) expectSafeMarkdown(toSlackBody(hostile, flavor))
    expectDiscordLimits(toSlackBody(hostile, "discord"))
  })
})

function expectSafeMail({ subject, text, html }: ReturnType<typeof toEmail>) {
  expect(subject).not.toMatch(/[\r\n\0\u202E]/)
  expect(subject.length).toBeLessThanOrEqual(180)
  expect(text).not.toMatch(/\0|\u202E|\r/)
  const own = text.replace(/https:\/\/gateway\.example\.com\S*/, "")
  expect(own, "a mail program makes a link of it").not.toMatch(/evil\.example|:\/\//)
  // Texts are escaped, so that each `<` begins a tag of ours.
  const tags = html.replace(/<style>[^<]*<\/style>|<!doctype html>/g, "").match(/<[^>]*>?/g) ?? []
  expect(tags.filter((tag) => !/^<\/?[a-z][a-z0-9]*( [a-z-]+="[^"<>]*")*>$/.test(tag))).toEqual([])
  const names = new Set(tags.map((tag) => /^<\/?([a-z0-9]+)/.exec(tag)![1]!))
  expect([...names].filter((name) => !MAIL_TAGS.includes(name))).toEqual([])
  const attributes = tags.flatMap((tag) => [...tag.matchAll(/ ([a-z-]+)="([^"]*)"/g)])
  expect(attributes.filter(([, name]) => /^on|^src$/.test(name!))).toEqual([])
  expect(attributes.filter(([, name, value]) => name === "style" && /url|expression/.test(value!))).toEqual([])
  const links = attributes.filter(([, name]) => name === "href").map(([, , value]) => value!)
  expect(links.filter((url) => !url.startsWith("https://gateway.example.com/dashboard/"))).toEqual([])
  expect(html.replace(/ href="[^"]*"/g, ""), "a mail program makes a link of it").not.toMatch(/evil\.example|:\/\//)
}

function expectSafeSlack(body: unknown) {
  const elements = listElements(body)
  const types = new Set(elements.map(({ type }) => type))
  const literal = [
    "header",
    "plain_text",
    "rich_text",
    "rich_text_section",
    "rich_text_list",
    "rich_text_preformatted",
    "text",
    "link",
    "context",
  ]
  expect(
    [...types].filter((type) => !literal.includes(String(type))),
    "mrkdwn reads markup",
  ).toEqual([])
  const links = elements.filter(({ type }) => type === "link").map(({ url }) => String(url))
  expect(links.filter((url) => !url.startsWith("https://gateway.example.com/dashboard/"))).toEqual([])
  expect(elements.filter((each) => "emoji" in each && each["emoji"] !== false)).toEqual([])
  const { text, blocks } = body as { readonly text: string; readonly blocks: readonly unknown[] }
  expect(text).not.toMatch(/[<>]|&(?!(amp|lt|gt);)/)
  expect(blocks.length).toBeLessThanOrEqual(50)
  expect(listTexts(body).filter(({ length }) => length > 3000)).toEqual([])
  const header = elements.find(({ type }) => type === "header")!["text"] as { readonly text: string }
  expect(header.text.length).toBeLessThanOrEqual(150)
}

function expectSafeTeams(body: unknown) {
  const types = new Set(listElements(body).map(({ type }) => type))
  const markdown = ["TextBlock", "FactSet", "Fact"]
  expect(
    [...types].filter((type) => markdown.includes(String(type))),
    "these read Markdown",
  ).toEqual([])
  expect(JSON.stringify(body)).not.toContain('"entities"')
  expect(new TextEncoder().encode(JSON.stringify(body)).byteLength).toBeLessThan(28_000)
}

function expectSafeMarkdown(body: unknown) {
  const texts = listTexts(body).filter((text) => !/^(https:\/\/gateway\.example\.com\/\S*|#[0-9a-f]{6})$/.test(text))
  for (const whole of texts) {
    expect(whole.split("```").length % 2, "each code block ends").toBe(1)
    const text = whole
      .split("```")
      .filter((_, i) => i % 2 === 0)
      .join("")
      .replace(/\]\(https:\/\/gateway\.example\.com[^)]*\)/g, "]")
    expect(text).not.toMatch(/@(?!\u200B)|:\/\/|<(?!\u200B)|[^\\]`|:[a-z]+:/)
    expect(text.replaceAll(/\*\*[A-Z](?:[^*\\]|\\.)*\*\*|^\* /gm, "")).not.toMatch(/(?<!\\)(?:\\\\)*[*_~|#]/)
    expect(text).not.toMatch(/evil\.example/)
  }
}

function expectDiscordLimits(body: unknown) {
  const { embeds, allowed_mentions } = body as {
    readonly allowed_mentions: unknown
    readonly embeds: readonly [
      {
        title: string
        description: string
        fields: readonly { name: string; value: string }[]
        footer: { text: string }
      },
    ]
  }
  expect(allowed_mentions).toEqual({ parse: [] })
  const [{ title, description, fields, footer }] = embeds
  expect(title.length).toBeLessThanOrEqual(256)
  expect(description.length).toBeLessThanOrEqual(4096)
  expect(fields.length).toBeLessThanOrEqual(25)
  for (const { name, value } of fields) {
    expect(name.length).toBeGreaterThan(0)
    expect(name.length).toBeLessThanOrEqual(256)
    expect(value.length).toBeGreaterThan(0)
    expect(value.length).toBeLessThanOrEqual(1024)
  }
  const sum = [title, description, footer.text, ...fields.flatMap(({ name, value }) => [name, value])].join("").length
  expect(sum).toBeLessThanOrEqual(6000)
}

test("a command that people copy has no name that a shell could read in another way", () => {
  const { summary } = toMessageOf("unpriced_model", "x; rm -rf ~ $(curl evil)")
  expect(summary).toContain("pricing set MODEL --provider PROVIDER")
  expect(summary).not.toMatch(/pricing set.*rm -rf/)
})

test("a test message names its channel", () => {
  const message = toTestMessage({ channel: "ops", at: "2026-11-28T15:05:00Z" }, CONTEXT)
  expect(message).toMatchObject({
    kind: "test",
    title: 'The channel "ops" works',
    footer: "Majordomo Gateway · 28 Nov 2026, 15:05 UTC",
  })
  expect(toWebhookBody(undefined, message)).toMatchObject({ kind: "test", facts: {} })
})

test("mail of a digest has a text part that says everything", () => {
  expect(toEmail(toMessageOf("anomaly")).text).toMatchInlineSnapshot(`
    "Spend from 14:00 to 15:00 was $48.20, usually about $5.90

    That is 8.1 times the usual cost of this hour of the week. Up to $17.82
    would have been within its pattern.

    What grew most: the key "ci" ($44.90, usually about $1.10) and the model
    "gpt-5.5" ($41.10, usually about $2).

    If you did not expect this, open the requests and look who sends them. To
    stop it, revoke the key (majordomo-gateway keys revoke) or give it a limit
    (majordomo-gateway limits create). If it is the new normal, do nothing:
    after about four days it counts as usual.

    Cost:           $48.20
    Usually:        $5.90
    At most usual:  $17.82
    Hour:           28 Nov 2026, 14:00 CET

    What grew most
    --------------
    Group                    Cost  Usually
    key ci                 $44.90    $1.10
    model gpt-5.5          $41.10       $2
    Feature nightly-evals  $39.50  nothing

    Open this hour:
    https://gateway.example.com/dashboard/?since=2026-11-28T13:00:00Z&until=2026-11-28T14:00:00Z&tz=Europe/Berlin&key=ci

    -- 
    Warning · Majordomo Gateway · 28 Nov 2026, 15:05 UTC
    "
  `)
})

test("titles", () => {
  expect(KINDS.map((kind) => toMessageOf(kind).title)).toMatchInlineSnapshot(`
    [
      "Limit "per-user" has reached 80% by "ada": $40.12 of $50.00",
      "Spend from 14:00 to 15:00 was $48.20, usually about $5.90",
      "No price is known for gpt-6-preview (openai)",
      "3 prices of claude-opus-5.5 (anthropic) changed",
      "openai billed $1,204.33, and the gateway recorded $1,182.02",
      "1,204 rows wait for the database, the oldest for 12 min",
      "12 rows were dropped, and 3 were rejected at gateway-1:4711",
      "The key "mobile-app" was used for the first time",
      "The week of 16 Nov cost $1,123.72, 35% more than the week before",
    ]
  `)
})
