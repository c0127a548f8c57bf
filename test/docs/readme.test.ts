import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ADMIN_KEYS, type BillingProvider, startBillingProvider } from "../support/billing-provider.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { until } from "../support/until.ts"
import { type Block, readBlocks } from "./_page.ts"
import { type Desk, openDesk } from "./_snippets.ts"
import { startWalk, type Walk } from "./_walk.ts"

const ROOT = new URL("../../", import.meta.url)
/** The pictures are loaded with the page, also over slow lines. */
const MAX_PICTURE_BYTES = 250_000

const readme = readFileSync(new URL("README.md", ROOT), "utf8")
const blocks = readBlocks("../README.md")

describe("the first commands of the README print what it shows", () => {
  let fakeProvider: FakeProvider
  let walk: Walk
  beforeAll(async () => {
    fakeProvider = await startFakeProvider()
    walk = await startWalk({
      OPENAI_API_KEY: "sk-test",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
  })
  afterAll(async () => {
    await walk?.end()
    await fakeProvider?.close()
  })

  const shown = blocks.filter(({ language, marks }) => language === "console" && marks.has("run"))
  test.each(shown.map((block) => [block.line, block] as const))("line %i", async (_line, block) => {
    await walk.follow(block)
  })
})

describe("the snippets and commands of the README, and of the pages that it was divided into, work", () => {
  let provider: BillingProvider
  let installation: Installation
  let gateway: RunningGateway
  let database: TestDatabase
  let client: pg.Client
  let desk: Desk
  let key: string
  let settings: Record<string, string>
  beforeAll(async () => {
    provider = await startBillingProvider({
      now: Date.now,
      rates: { "gpt-4o-mini": { input: "0.15", cache_read: "0.075", output: "0.6" } },
      keys: { "sk-app": { id: "key_app", project: "proj_app" } },
    })
    database = await createTestDatabase()
    client = new pg.Client({ connectionString: database.url })
    await client.connect()
    settings = {
      DATABASE_URL: database.url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: provider.origin,
      MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: provider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_LOGGING_BODY_STORAGE: "postgres",
      MAJORDOMO_RECONCILE_DAILY: "false",
      MAJORDOMO_RECONCILE_OPENAI_BASE_URL: provider.origin,
      OPENAI_ADMIN_KEY: ADMIN_KEYS.openai,
    }
    installation = createInstallation(settings)
    key = ((await installation.runJson(["keys", "create", "--name", "App"])) as { readonly key: string }).key
    gateway = await installation.serve()
    desk = openDesk()
  })
  afterAll(async () => {
    desk?.remove()
    await installation?.remove()
    await client?.end()
    await database?.drop()
    await provider?.close()
  })

  /** Runs a program as somebody who has put the own key and address into the snippet. */
  const execute = (block: Block, env: Readonly<Record<string, string>>) =>
    desk.execute(block, { OPENAI_API_KEY: "sk-app", ...env })

  test("the variables are enough for a program that knows nothing of the gateway", async () => {
    const [variables] = blocks.filter(({ marks }) => marks.has("env"))
    const text = variables!.text.replaceAll("http://localhost:7680", gateway.origin).replaceAll("mdm_sk_…", key)
    const env = await desk.readExports({ ...variables!, text }, { PATH: process.env["PATH"] ?? "" })
    expect(env["ANTHROPIC_CUSTOM_HEADERS"]).toBe(`X-Majordomo-Key: ${key}`)
    const program = `
      import OpenAI from "openai"
      await new OpenAI().chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] })`
    await execute({ ...variables!, language: "ts", marks: new Map(), text: program }, env)
    await expectRow({ provider: "openai", cost_status: "exact" })
  })

  const programs = blocks.filter(({ language, marks }) => language === "ts" && marks.has("run"))
  test.each(programs.map((block) => [block.line, block] as const))("line %i: TypeScript", async (_line, block) => {
    await execute(block, { MAJORDOMO_GATEWAY_URL: gateway.origin, MAJORDOMO_API_KEY: key })
    await expectRow(block.row!)
  })

  const commands = blocks
    .filter(({ language, marks }) => language === "sh" && marks.has("run"))
    .flatMap((block) => block.text.split("\n").map((text) => [text.replace(/ +#.*/, ""), block] as const))
  test.each(commands)("%s", async (text, block) => {
    const { rows } = await client.query("SELECT id FROM llm_requests LIMIT 1")
    const line = { ...block, text: text.replace("request ID", `request ${rows[0].id}`) }
    // The database is PostgreSQL here, of which the gateway makes no backups.
    if (text.includes(" backup ")) await expect(execute(line, settings)).rejects.toThrow("pg_dump")
    else expect(await execute(line, settings)).not.toBe("")
  })

  test("the commands of docs/bodies.md print what was stored", async () => {
    const [block] = readBlocks("bodies.md").filter(({ language, marks }) => language === "sh" && marks.has("run"))
    const { rows } = await client.query("SELECT id FROM llm_requests LIMIT 1")
    const text = `${block!.text.replace("request ID", `request ${rows[0].id}`)}\ncat training.jsonl`
    const output = await execute({ ...block!, text }, settings)
    expect(output).toContain('"content":"hi"')
    expect(output).toContain('"content":"Say hello"')
  })

  test("the query of docs/commands.md gives the sum of the day", async () => {
    const [block] = readBlocks("commands.md").filter(({ language }) => language === "sql")
    const [day] = (await client.query(block!.text)).rows
    expect(Number(day.cost)).toBeGreaterThan(0)
  })

  test("there are ten commands, the first of which is usage", () => {
    const [ten] = blocks.filter(({ language, marks }) => language === "sh" && marks.has("run"))
    expect(ten!.text.split("\n")).toHaveLength(10)
    expect(ten!.text).toMatch(/^majordomo-gateway usage /)
  })

  async function expectRow(expected: Readonly<Record<string, unknown>>): Promise<void> {
    await until(async () => {
      const { rows } = await client.query("SELECT to_jsonb(r) AS row FROM llm_requests_full r")
      expect(rows.map(({ row }) => row)).toContainEqual(
        expect.objectContaining({
          ...expected,
          ...("raw_metadata" in expected && { raw_metadata: expect.objectContaining(expected["raw_metadata"]) }),
        }),
      )
    }, 100)
  }
})

describe("the links of the README and of its pages", () => {
  const pages = ["README.md", ...["commands", "settings", "bodies", "configuration"].map((name) => `docs/${name}.md`)]
  test.each(pages)("%s leads to pages and headings that exist", (page) => {
    const at = new URL(page, ROOT)
    const links = [...readFileSync(at, "utf8").matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)]
    const broken = links
      .map(([, link, picture]) => link ?? picture!)
      .filter((link) => !/^https:/.test(link) && !leadsSomewhere(new URL(link, at)))
    expect(broken).toEqual([])
  })

  test("are absolute in the package that a release publishes, and lead to the pages of its version", () => {
    const home = mkdtempSync(join(tmpdir(), "majordomo-readme-"))
    const file = join(home, "README.md")
    writeFileSync(file, readme)
    const script = fileURLToPath(new URL("scripts/package-readme.mjs", ROOT))
    execFileSync(process.execPath, [script, "https://github.com/owner/name", "v1.2.3", file])
    const published = readFileSync(file, "utf8")
    rmSync(home, { recursive: true })
    expect(published).toContain("](https://github.com/owner/name/blob/v1.2.3/docs/getting-started.md)")
    expect(published).toContain('src="https://github.com/owner/name/raw/v1.2.3/docs/images/dashboard-light.webp"')
    const links = [...published.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)].map(
      ([, link, src]) => link ?? src!,
    )
    expect(links.filter((link) => !link.startsWith("https://"))).toEqual([])
  })

  test("its pictures are small", () => {
    const pictures = [...readme.matchAll(/docs\/images\/[\w.-]+/g)].map(([path]) => path)
    expect(pictures.length).toBeGreaterThan(2)
    for (const path of pictures) expect(statSync(new URL(path, ROOT)).size, path).toBeLessThan(MAX_PICTURE_BYTES)
  })
})

/** Returns true if the file exists and has the heading that the link names. */
function leadsSomewhere(link: URL): boolean {
  const file = fileURLToPath(new URL(link.pathname, "file:"))
  if (!existsSync(file)) return false
  if (link.hash === "") return true
  const headings = [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, text]) => toAnchor(text!))
  return headings.includes(decodeURIComponent(link.hash.slice(1)))
}

/** Returns the anchor that GitHub and npm give a heading. */
function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-")
}
