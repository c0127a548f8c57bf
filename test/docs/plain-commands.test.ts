import { readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { aSpendLog } from "../imports/_litellm.ts"
import { toCsvText } from "../imports/_read.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"
import { type Block, readBlocks } from "./_page.ts"
import { type Desk, openDesk } from "./_snippets.ts"

const DOCS = fileURLToPath(new URL("../../docs/", import.meta.url))

/** Why a block without a mark is not run, by its page and the beginning of its first line. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'api.md: curl -s "$GATEWAY/api/v1/me/spending': "an example of an address; api/routes.test.ts asks the route",
  "company.md: export ADMIN_URL": "values to fill in; company.test.ts sets them",
  "company.md: MAJORDOMO_STORAGE_POSTGRES_URL": "a file of secrets",
  "company.md: sudo ": "changes the machine; operations/service.test.ts",
  "dashboard.md: majordomo-gateway dashboard --open": "opens a browser; api/sessions.test.ts follows the link",
  "deployment.md: npm install --global": "changes the machine; e2e/package.test.ts",
  "deployment.md: sudo ": "changes the machine; operations/service.test.ts",
  "deployment.md: cp .env.example": "needs Docker; deploy/files.test.ts reads the files",
  "deployment.md: psql -v": "changes a server and a cluster; deploy/roles.test.ts, deploy/files.test.ts",
  "deployment.md: helm install": "needs a cluster; deploy/chart.test.ts",
  "deployment.md: MAJORDOMO_STORAGE_DRIVER=embedded": "the same as the block before it, with a variable",
  "integrations/README.md: export": "variables; integrations.test.ts",
  "integrations/apps.md: export": "variables of another program",
  "integrations/pydantic-ai.md: export": "variables; integrations.test.ts",
  "integrations/pydantic-ai.md: pip install": "installs another program",
  "mcp.md: claude mcp add": "needs Claude Code; mcp.test.ts starts the server",
  "migrating/go.md: export GATEWAY_URL": "the command line of another program; api/go.test.ts",
  "migrating/helicone.md: HELICONE_API_KEY": "another program, and its provider",
  "migrating/litellm.md: majordomo-gateway import litellm --from": "LiteLLM's database; e2e/imports.test.ts",
  "notifications.md: MAJORDOMO_NOTIFICATIONS": "a file of secrets",
  "telemetry.md: export CLAUDE_CODE": "variables of another program",
  "upgrade.md: npm install --global": "changes the machine; e2e/package.test.ts",
}

const pages = readdirSync(DOCS, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".md"))
  .toSorted()
const isPlain = ({ language, marks }: Block) => language === "sh" && marks.size === 0
const plain = pages.flatMap(readBlocks).filter(isPlain)
const toTitle = ({ page, text }: Block) => `${page}: ${text.split("\n", 1)[0]}`
const isLeftOut = (block: Block) => Object.keys(NOT_RUN).some((start) => toTitle(block).startsWith(start))

test("every reason for not running a block is that of one that is there", () => {
  const unused = Object.keys(NOT_RUN).filter((start) => !plain.some((block) => toTitle(block).startsWith(start)))
  expect(unused).toEqual([])
})

describe("the shell commands of pages work that nothing else runs", () => {
  let database: TestDatabase
  let other: TestDatabase
  let desk: Desk
  let keyId: string
  beforeAll(async () => {
    ;[database, other] = [await createTestDatabase(), await createTestDatabase({ empty: true })]
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    keyId = await insertKey(client, "App")
    const metadata = { "User-Id": "ann", Client: "claude-code/2.0" }
    for (const days of [0, 3]) {
      await insertRows(client, [
        { key: keyId, cost: "1", metadata, at: new Date(Date.now() - days * 86_400_000).toISOString() },
      ])
    }
    await client.end()
    desk = openDesk()
    writeFileSync(join(desk.home, "pass"), "#!/bin/sh\necho sk-proj-0123456789abcdefghij\n", { mode: 0o755 })
    writeFileSync(join(desk.home, "spend-logs.csv"), toCsvText([aSpendLog(1), aSpendLog(2)]))
  })
  afterAll(async () => {
    desk?.remove()
    await database?.drop()
    await other?.drop()
  })

  const on = (): Record<string, string> => ({ DATABASE_URL: database.url, MAJORDOMO_PRICING_REMOTE_URL: "" })
  const execute = (block: Block, text: string, env: Record<string, string>) => desk.execute({ ...block, text }, env)

  /** The values of the placeholders of a page. */
  const toReal = (text: string) =>
    text
      .replaceAll("a1b2c3d4-e5f6-7890-abcd-ef1234567890", keyId)
      .replaceAll("/srv/archive", `${desk.home}/archive`)
      .replaceAll("postgres://majordomo@db.internal/majordomo", other.url)
      // There is no bucket, and no database of LiteLLM.
      .replaceAll(/^majordomo-gateway archive --to s3:.*\n/gm, "")
      .replaceAll(/^majordomo-gateway provider-keys add openai$/gm, "pass | $&")

  const OF_THEIR_OWN = /^(?:backup|deployment|migrating)\.md/
  const rest = plain.filter((block) => !isLeftOut(block) && !OF_THEIR_OWN.test(block.page))
  test.each(rest.map((block) => [toTitle(block), block] as const))("%s", async (_, block) => {
    expect(await execute(block, toReal(block.text), on())).not.toBe("")
  })

  test("migrating.md: an import is tried, done, listed and undone", async () => {
    const [block] = plain.filter(({ page }) => page === "migrating.md")
    const lines = block!.text.split("\n")
    expect(await execute(block!, lines.slice(0, 3).join("\n"), on())).toContain("2 requests were imported")
    const [, id] = /^([0-9a-f-]{36}) /m.exec(await execute(block!, lines[2]!, on()))!
    expect(await execute(block!, lines[3]!.replace("0197f3a2", id!), on())).toContain("Removed 2 requests")
  })

  test("backup.md and deployment.md: the embedded database is written to a file, restored, and moved to PostgreSQL", async () => {
    const blocks = plain.filter((block) => OF_THEIR_OWN.test(block.page) && !isLeftOut(block))
    const [backup, restore, move] = blocks.filter(({ page }) => page !== "migrating.md")
    const embedded = { MAJORDOMO_PRICING_REMOTE_URL: "" }
    const toFile = (text: string) => text.replaceAll("/backups/", `${desk.home}/`)
    await execute(backup!, "majordomo-gateway keys create --name Moved", embedded)
    await execute(backup!, toFile(backup!.text), embedded)
    rmSync(join(desk.home, ".majordomo"), { recursive: true })
    await execute(restore!, toFile(restore!.text).replace("2026-11-28", "$(date +%F)"), embedded)
    await execute(move!, toReal(move!.text), embedded)
    expect(await execute(move!, "majordomo-gateway keys list", { ...on(), DATABASE_URL: other.url })).toContain("Moved")
  })
})
