import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { CLIENT, createCookieBrowser, startIdentityProvider } from "../support/identity-provider.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { type Block, readBlocks } from "./_page.ts"
import { type Desk, openDesk } from "./_snippets.ts"

const ROOT = fileURLToPath(new URL("../../", import.meta.url))
const PASSWORDS = { OWNER_PASSWORD: "owner-password", GATEWAY_PASSWORD: "gateway-password" }

/** A receiver in place of Slack, with the titles of what it got. */
async function startSlack() {
  const titles: string[] = []
  const server = createServer(async (request, response) => {
    titles.push((JSON.parse(await text(request)) as { readonly text: string }).text)
    response.end("ok")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/services/T/B/X`, titles, close: () => server.close() }
}

/** The parts of the page run one after the other, as an operator runs them. */
describe("docs/company.md, docs/backup.md and docs/upgrade.md lead to two gateways that everybody can use", () => {
  const blocks = readBlocks("company.md")
  const settings = blocks.find(({ language }) => language === "yaml")!
  const shell = blocks.filter(({ language, marks }) => language === "sh" && marks.has("run"))
  const [roles, migrate, keys, budgets, look, month] = shell as [Block, Block, Block, Block, Block, Block]

  let server: PostgresServer
  let desk: Desk
  let installation: Installation
  let provider: FakeProvider
  let identity: Awaited<ReturnType<typeof startIdentityProvider>>
  let slack: Awaited<ReturnType<typeof startSlack>>
  let gateways: RunningGateway[] = []
  let env: Record<string, string>
  let key = ""

  const urlOf = (user: string, password: string, name = "majordomo") => {
    const url = new URL(server.url)
    Object.assign(url, { pathname: `/${name}` }, user && { username: user, password })
    return url.href
  }
  const send = (origin: string, user: string) =>
    fetch(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: {
        Authorization: "Bearer sk-test",
        "Content-Type": "application/json",
        "X-Majordomo-Key": key,
        "X-Majordomo-User-Id": user,
        "X-Majordomo-Feature": "chat",
      },
      body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Say hello" }] }),
    })
  const serve = (number: number) =>
    installation.serve({
      args: ["--config", join(desk.home, "majordomo.yaml")],
      settings: { MAJORDOMO_STORAGE_DATA_DIR: join(installation.home, `gateway-${number}`) },
    })

  beforeAll(async () => {
    server = await startPostgres()
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await client.query("CREATE DATABASE majordomo")
    await client.end()
    ;[provider, identity, slack] = await Promise.all([startFakeProvider(), startIdentityProvider(), startSlack()])
    desk = openDesk()
    const secrets = {
      MAJORDOMO_STORAGE_POSTGRES_URL: urlOf("majordomo", PASSWORDS.GATEWAY_PASSWORD),
      MAJORDOMO_ADMIN_OIDC_CLIENT_SECRET: CLIENT.secret,
      MAJORDOMO_NOTIFICATIONS_CHANNELS_OPS_URL: slack.url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    }
    installation = createInstallation(secrets)
    env = {
      ...PASSWORDS,
      ...secrets,
      ADMIN_URL: urlOf("", ""),
      OWNER_URL: urlOf("majordomo_owner", PASSWORDS.OWNER_PASSWORD),
      RESTORED_URL: urlOf("", "", "restored"),
    }
  })
  afterAll(async () => {
    await installation?.remove()
    desk?.remove()
    await Promise.all([provider?.close(), identity?.close()])
    slack?.close()
    await server?.stop()
  })

  const execute = (block: Block, more: Readonly<Record<string, string>> = {}) =>
    desk.execute({ ...block, text: block.text.replaceAll("-f deploy/", `-f ${ROOT}deploy/`) }, { ...env, ...more })

  const run = (command: string) => execute({ ...roles, text: command })

  test("two roles are created", async () => {
    expect(await execute(roles)).toContain("CREATE ROLE")
  })

  test("the owner creates the schema, and two gateways start with the settings of the page", async () => {
    const local = settings.text
      .replace("https://sso.example.com", identity.issuer)
      // The claim that the provider of the tests has.
      .replace("role_claim: majordomo_role", "role_claim: groups")
      .replace("host: 0.0.0.0", "host: 127.0.0.1")
      .replace(/^ {2}url: .*\n/m, "")
      .replace("/srv/majordomo-archive", join(desk.home, "archive"))
    await execute({ ...settings, text: local })
    expect(await execute(migrate)).toContain("The schema was created")
    gateways = await Promise.all([serve(1), serve(2)])
    for (const { origin } of gateways) expect((await fetch(`${origin}/readyz`)).status).toBe(200)
  })

  test("each team has a key", async () => {
    const output = await execute(keys)
    key = [...output.matchAll(/mdm_sk_[\w-]{20,}/g)].at(-1)![0]
    const answers = await Promise.all(gateways.map(({ origin }) => send(origin, "ada")))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    await Promise.all(answers.map((answer) => answer.text()))
  })

  test("budgets apply on both, and Slack is told", async () => {
    const output = await execute(budgets)
    expect(output).toContain("Requests with Team=support may cost 500 USD per month (Europe/Berlin)")
    expect(output).toContain("ops has accepted the message.")
    expect(slack.titles).toContain('The channel "ops" works')
    await expect.poll(() => slack.titles).toContain('The key "Support bot" was used for the first time')
    await run("majordomo-gateway limits update support --amount 0.000001")
    for (const { origin } of gateways) await expect.poll(async () => (await send(origin, "ada")).status).toBe(429)
    await expect.poll(() => slack.titles.join("\n")).toContain('Limit "support"')
  })

  test("everybody signs in with the company account, in the role of the claim", async () => {
    const { origin } = gateways[0]!
    identity.register(`${origin}/api/v1/oidc/callback`)
    for (const [claims, role] of [
      [{ sub: "ada" }, "viewer"],
      [{ sub: "bob", preferred_username: "bob", groups: ["staff", "admin"] }, "admin"],
    ] as const) {
      identity.signInAs({ ...claims, email: `${claims.sub}@example.com`, email_verified: true })
      const browser = createCookieBrowser()
      await browser.follow(`${origin}/api/v1/oidc/start`, ({ pathname }) => pathname.startsWith("/dashboard"))
      const me = await (await browser.open(`${origin}/api/v1/me`)).json()
      expect(me).toMatchObject({ name: `${claims.sub}@example.com`, role })
    }
  })

  test("reports, doctor and invoices work as the role of the gateway", async () => {
    expect(await execute(look)).toMatch(/^support +\d/m)
    await execute(month)
  })

  test("a dump is restored, and its rows and totals agree", async () => {
    const [dump, restore] = readBlocks("backup.md").filter(
      ({ language, marks }) => language === "sh" && marks.has("run"),
    )
    await execute(dump!)
    expect(await execute(restore!)).toContain("the rollups agree with the rows")
  })

  test("the gateways are replaced one after the other, and no request fails", async () => {
    await run("majordomo-gateway limits update support --amount 500")
    for (const { origin } of gateways) await expect.poll(async () => (await send(origin, "ada")).status).toBe(200)
    const [upgrade, compare] = readBlocks("upgrade.md").filter(
      ({ language, marks }) => language === "sh" && marks.has("run"),
    )
    await execute(upgrade!)
    const statuses = new Set<number>()
    for (const number of [0, 1]) {
      const other = gateways[1 - number]!
      const ending = gateways[number]!.stop()
      for (let count = 0; count < 5; count++) statuses.add((await send(other.origin, "bob")).status)
      await ending
      gateways[number] = await serve(number + 1)
      statuses.add((await send(gateways[number]!.origin, "bob")).status)
    }
    expect([...statuses]).toEqual([200])
    expect(await execute(compare!)).toContain("the rollups agree with the rows")
  })
})
