import { randomBytes } from "node:crypto"
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import pg from "pg"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { type FakeProvider, type ProviderExchange, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { until } from "../support/until.ts"
import { type Block, readBlocks } from "./_page.ts"
import { type Desk, openDesk, whySkipped } from "./_snippets.ts"

const guides = readdirSync(new URL("../../docs/integrations/", import.meta.url)).filter((name) => name.endsWith(".md"))
const pages = [...guides.map((name) => `integrations/${name}`), "migrating/litellm.md"]

const PROVIDER_KEYS = { OPENAI_API_KEY: "sk-test", ANTHROPIC_API_KEY: "sk-ant-test", GEMINI_API_KEY: "g-test" }
/** Only the gateway has these: boto3 would send its own token in place of the gateway key. */
const CLOUD_KEYS = {
  AZURE_OPENAI_API_KEY: "azure-test",
  AWS_BEARER_TOKEN_BEDROCK: "ABSK-test",
  GOOGLE_API_KEY: "v-test",
}
/** The blocks that store the providers' keys in the gateway. Clients without such a key rely on them. */
const setups = pages.flatMap(readBlocks).filter(({ marks }) => marks.has("setup"))

interface CreatedKey {
  readonly id: string
  readonly key: string
}

describe("the snippets of the guides work", () => {
  let fakeProvider: FakeProvider
  let installation: Installation
  let gateway: RunningGateway
  let database: pg.Client
  let desk: Desk
  let env: Record<string, string>
  let settings: Record<string, string>
  let keyId: string

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
      MAJORDOMO_PROVIDERS_CHATGPT_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_AZURE_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_BEDROCK_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_VERTEX_BASE_URL: fakeProvider.origin,
      MAJORDOMO_VAULT_KEY: randomBytes(32).toString("base64"),
      MAJORDOMO_PRICING_REMOTE_URL: "",
    }
    installation = createInstallation(settings)
    const created = (await installation.runJson(["keys", "create", "--name", "Guides"])) as CreatedKey
    const { key } = created
    keyId = created.id
    desk = openDesk()
    logInToChatGpt(desk.home)
    for (const block of setups) await desk.execute(block, { ...settings, ...PROVIDER_KEYS, ...CLOUD_KEYS })
    gateway = await installation.serve()
    env = {
      MAJORDOMO_GATEWAY_URL: gateway.origin,
      MAJORDOMO_API_KEY: key,
      ...PROVIDER_KEYS,
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
    // A block of settings is run by test/docs/configuration.test.ts.
    const blocks = readBlocks(page).filter(
      ({ language, marks }) => marks.has("file") || marks.has("env") || (marks.has("run") && language !== "yaml"),
    )
    let pageEnv: Readonly<Record<string, string>> | undefined

    test("has a block to run, and each call states its expected row", () => {
      expect(blocks.length).toBeGreaterThan(0)
      const calls = blocks.filter(({ language, marks }) => /^(ts|python|go)$/.test(language) && marks.has("run"))
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
        if (block.marks.has("env")) {
          pageEnv = await desk.readExports(block, pageEnv ?? env)
          return
        }
        await database.query("CREATE TABLE IF NOT EXISTS seen (id uuid PRIMARY KEY)")
        await database.query("INSERT INTO seen SELECT id FROM llm_requests ON CONFLICT DO NOTHING")
        // The gateway's own commands run on its machine, with its settings; a client program does not know them.
        const own = { ...env, ...settings, MAJORDOMO_GATEWAY_URL: "" }
        const output = await desk.execute(
          block,
          /majordomo-gateway (?:usage|import)/.test(block.text) ? own : (pageEnv ?? env),
        )
        if (isProgram(block)) expect(output).toContain("The fake provider heard")
        if (block.row !== undefined) await expectRow(block)
        expect(fakeProvider.exchanges.filter(hasGatewayKey)).toEqual([])
      })
    }
  })

  /** Expects that one of the new rows has the columns that the page states, and that all have the key. */
  async function expectRow({ row }: Block): Promise<void> {
    await until(async () => {
      const { rows } = await database.query(
        "SELECT to_jsonb(r) AS row FROM llm_requests_full r WHERE id NOT IN (SELECT id FROM seen) ORDER BY created_at DESC",
      )
      expect(rows.map((each) => each.row)).toContainEqual(toPattern({ ...row, status_code: 200 }))
      expect(rows.filter((each) => each.row.majordomo_api_key_id !== keyId)).toEqual([])
    }, 100)
  }
})

/** Writes the file that a ChatGPT login of Codex leaves. Its token is one of nobody. */
function logInToChatGpt(home: string): void {
  const toPart = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const claims = { "https://api.openai.com/auth": { chatgpt_account_id: "account-1", chatgpt_plan_type: "plus" } }
  const token = [{ alg: "none" }, { exp: 4_000_000_000, ...claims }, {}].map(toPart).join(".")
  const tokens = { id_token: token, access_token: token, refresh_token: "refresh", account_id: "account-1" }
  mkdirSync(join(home, ".codex"))
  const login = { auth_mode: "chatgpt", OPENAI_API_KEY: null, tokens, last_refresh: new Date().toISOString() }
  writeFileSync(join(home, ".codex/auth.json"), JSON.stringify(login))
}

/** Returns true for a command line tool that prints the model's answer. */
function isProgram({ language, marks }: Block): boolean {
  return language === "sh" && !["run", undefined].includes(marks.get("run"))
}

function hasGatewayKey({ url, rawHeaders, body }: ProviderExchange): boolean {
  return `${url}\n${rawHeaders.join("\n")}\n${body.toString("latin1")}`.includes("mdm_sk_")
}

/** Returns what matches a value that has at least these members. `…` stands for any part of a text, such as a version. */
function toPattern(value: unknown): unknown {
  if (typeof value === "string" && value.includes("…")) {
    const parts = value.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    return expect.stringMatching(new RegExp(`^${parts.join(".+")}$`))
  }
  if (typeof value !== "object" || value === null) return value
  const members = Object.entries(value).map(([name, member]) => [name, toPattern(member)])
  return expect.objectContaining(Object.fromEntries(members))
}
