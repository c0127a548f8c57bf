import { readFileSync } from "node:fs"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ROUTES } from "../../src/api/routes/index.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"
import { readBlocks } from "./_page.ts"
import { type Desk, openDesk } from "./_snippets.ts"

const PAGE = "api.md"
const REQUEST_ID = "01900000-0000-7000-8000-000000000001"

describe("the snippets of docs/api.md work, and print what the page shows", () => {
  let installation: Installation
  let gateway: RunningGateway
  let desk: Desk
  let env: Record<string, string>

  beforeAll(async () => {
    const { url } = await createTestDatabase()
    installation = createInstallation({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "" })
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const key = await insertKey(client, "Development")
    const row = {
      key,
      model: "gpt-4o-mini",
      cost: "0.25",
      metadata: { "User-Id": "42", Feature: "chat", "Trace-Id": "t" },
    }
    await insertRows(client, [{ ...row, id: REQUEST_ID }, row])
    await client.end()
    const created = await installation.runJson(["tokens", "create", "--name", "docs", "--role", "admin"])
    const { token } = created as { readonly token: string }
    gateway = await installation.serve()
    desk = openDesk()
    env = { GATEWAY: gateway.origin, TOKEN: token, KEY_ID: key, REQUEST_ID }
  })
  afterAll(async () => {
    desk?.remove()
    await installation?.remove()
  })

  const blocks = readBlocks(PAGE)
  const runs = blocks.flatMap((block, at) => (block.marks.has("run") ? [{ block, next: blocks[at + 1] }] : []))
  test.each(runs.map((run) => [run.block.line, run] as const))("line %i", async (_line, { block, next }) => {
    const output = await desk.execute(block, env)
    expect(output).not.toBe("")
    if (next?.marks.has("output")) expect(output).toContain(next.text)
  })
})

describe("docs/api.md", () => {
  const page = readFileSync(new URL(`../../docs/${PAGE}`, import.meta.url), "utf8")

  test("names each route of the API in its table, with the role that it needs", () => {
    const rows = [...page.matchAll(/^\| `(\w+) (\/[^` ]*)` \| (\w+) \|/gm)].map((row) => row.slice(1).join(" "))
    const own = ROUTES.filter(({ name }) => !name.startsWith("go."))
    expect(rows.sort()).toEqual(own.map(({ method, path, role }) => `${method} ${path} ${role}`).sort())
  })
})
