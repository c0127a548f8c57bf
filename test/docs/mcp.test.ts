import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { TOOLS } from "../../src/mcp/tools/index.ts"
import { connectOverHttp, connectOverStdio } from "../mcp/_client.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { readBlocks } from "./_page.ts"

const PAGE = "mcp.md"
const EXAMPLE = "https://gateway.example.com"
const blocks = readBlocks(PAGE).filter(({ language }) => language === "json")

let installation: Installation
let gateway: RunningGateway
let token: string

beforeAll(async () => {
  const { url } = await createTestDatabase()
  installation = createInstallation({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "" })
  const args = ["tokens", "create", "--name", "assistant", "--role", "viewer"]
  token = ((await installation.runJson(args)) as { token: string }).token
  gateway = await installation.serve()
})
afterAll(() => installation?.remove())

interface Server {
  readonly command?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly url?: string
  readonly headers?: Readonly<Record<string, string>>
}

describe("the configurations of docs/mcp.md are valid, and lead to the tools", () => {
  test.each(blocks.map((block) => [block.line, block] as const))("line %i", async (_, { text, marks }) => {
    const { mcpServers } = JSON.parse(text) as { mcpServers: { majordomo: Server } }
    const { command, args = [], env = {}, url, headers = {} } = mcpServers.majordomo
    if (marks.has("stdio")) {
      expect([command, args.slice(0, 3)]).toEqual(["npx", ["-y", "majordomo-gateway", "mcp"]])
      const more = args.slice(3).map((arg) => arg.replace(EXAMPLE, gateway.origin))
      const known = Object.fromEntries(
        Object.entries(env).map(([name, value]) => [name, value.replace("mdm_admin_…", token)]),
      )
      const client = await connectOverStdio({ ...(await installation.environment()), ...known }, { args: more })
      expect((await client.callTool({ name: "usage_summary", arguments: {} })).isError).toBeUndefined()
      return client.close()
    }
    expect([marks.has("http"), url]).toEqual([true, `${EXAMPLE}/mcp`])
    const authorization = headers["Authorization"]!.replace(/\$\{(env:)?MAJORDOMO_ADMIN_TOKEN\}/, token)
    const client = await connectOverHttp(gateway.origin, { Authorization: authorization })
    expect((await client.callTool({ name: "usage_summary", arguments: {} })).isError).toBeUndefined()
    return client.close()
  })
})

test("the settings of Claude Code are valid, and have the status line", () => {
  const settings = readBlocks("integrations/claude-code.md").filter(({ language }) => language === "json")
  const parsed = settings.map(({ text }) => JSON.parse(text) as { statusLine?: object })
  expect(parsed.flatMap(({ statusLine }) => statusLine ?? [])).toEqual([
    { type: "command", command: "majordomo-gateway statusline" },
  ])
})

test("docs/mcp.md names each tool in its table", () => {
  const page = readFileSync(new URL(`../../docs/${PAGE}`, import.meta.url), "utf8")
  const rows = [...page.matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(([, names]) => names!.split(", "))
  expect(rows.map((name) => name.slice(1, -1)).sort()).toEqual(TOOLS.map(({ name }) => name).sort())
})
