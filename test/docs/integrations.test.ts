import { readdirSync } from "node:fs"
import pg from "pg"
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { type Block, readBlocks } from "./_page.ts"
import { type Desk, openDesk, whySkipped } from "./_snippets.ts"

const guides = readdirSync(new URL("../../docs/integrations/", import.meta.url)).filter((name) => name.endsWith(".md"))
const pages = [...guides.map((name) => `integrations/${name}`), "migrating.md"]

describe("the snippets of the guides work", () => {
  let fakeProvider: FakeProvider
  let installation: Installation
  let gateway: RunningGateway
  let database: pg.Client
  let desk: Desk
  let env: Record<string, string>
  let settings: Record<string, string>

  beforeAll(async () => {
    fakeProvider = await startFakeProvider()
    const { url } = await createTestDatabase()
    database = new pg.Client({ connectionString: url })
    await database.connect()
    settings = {
      DATABASE_URL: url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    }
    installation = createInstallation(settings)
    const { key } = (await installation.runJson(["keys", "create", "--name", "Guides"])) as { readonly key: string }
    gateway = await installation.serve()
    desk = openDesk()
    env = {
      MAJORDOMO_GATEWAY_URL: gateway.origin,
      MAJORDOMO_API_KEY: key,
      OPENAI_API_KEY: "sk-test",
      ANTHROPIC_API_KEY: "sk-ant-test",
      GEMINI_API_KEY: "g-test",
      ...(process.env["DOCS_TOOLS"] && { PATH: `${desk.home}:${process.env["DOCS_TOOLS"]}:${process.env["PATH"]}` }),
    }
  })
  afterAll(async () => {
    desk?.remove()
    await installation?.remove()
    await database?.end()
    await fakeProvider?.close()
  })
  beforeEach(() => fakeProvider.reset())

  describe.each(pages)("%s", (page) => {
    const blocks = readBlocks(page).filter(
      ({ language, marks }) => language !== "yaml" && (marks.has("run") || marks.has("file")),
    )

    test("has a block to run, and each call states its expected row", () => {
      expect(blocks.length).toBeGreaterThan(0)
      const calls = blocks.filter(({ language, marks }) => /^(ts|python)$/.test(language) && marks.has("run"))
      expect(calls.filter(({ row }) => row === undefined).map(({ line }) => `line ${line}`)).toEqual([])
    })

    for (const block of blocks) {
      test(`line ${block.line}: ${block.language}`, async (context) => {
        const reason = whySkipped(block)
        if (reason !== undefined) return context.skip(reason)
        if (block.language === "sql") {
          await database.query(block.text)
          return
        }
        await database.query("CREATE TABLE IF NOT EXISTS seen (id uuid PRIMARY KEY)")
        await database.query("INSERT INTO seen SELECT id FROM llm_requests ON CONFLICT DO NOTHING")
        // The gateway's own commands run on its machine, with its settings; a client program does not know them.
        const own = { ...env, ...settings, MAJORDOMO_GATEWAY_URL: "" }
        await desk.execute(block, /majordomo-gateway usage/.test(block.text) ? own : env)
        if (block.row !== undefined) await expectRow(block)
      })
    }
  })

  /** Expects that one of the new rows has the columns that the page states. */
  async function expectRow({ row }: Block): Promise<void> {
    await vi.waitFor(
      async () => {
        const { rows } = await database.query(
          "SELECT to_jsonb(r) AS row FROM llm_requests r WHERE id NOT IN (SELECT id FROM seen) ORDER BY created_at DESC",
        )
        expect(rows.map((each) => each.row)).toContainEqual(expect.objectContaining({ ...row, status_code: 200 }))
      },
      { timeout: 15_000, interval: 100 },
    )
  }
})
