import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"
import { afterEach, describe, expect, it } from "vitest"
import type { ProviderSession } from "../support/fake-provider/sockets.ts"
import { openSessionHouse, type SessionHouse, type SessionRow } from "./_websocket-clients.ts"

/** Codex is large and changes every week, so it runs only from the directories that this variable names. */
const CODEX = process.env["DOCS_TOOLS"]
  ?.split(delimiter)
  .map((directory) => join(directory, "codex"))
  .find((path) => existsSync(path))

/** 100 × 0.25 + 20 × 0.025 + 10 × 2 USD per million. */
const TOKENS = { input: 120, cached: 20, output: 10 }
const ROW = {
  ...{ provider: "openai", model: "gpt-5-mini", request_path: "/v1/responses", status_code: 200, outcome: "complete" },
  ...{ input_tokens: 120, cached_tokens: 20, output_tokens: 10, usage_source: "reported", cost_status: "exact" },
  total_cost: 0.0000455,
}

let house: SessionHouse | undefined
let home: string | undefined
afterEach(async () => {
  await house?.close()
  if (home !== undefined) rmSync(home, { recursive: true, force: true })
})

/** Runs one turn of Codex in an empty home, and returns what it printed. */
async function runCodex({ gateway, key }: SessionHouse): Promise<string> {
  // Codex refuses to work in a home below the directory of temporary files.
  home = mkdtempSync(join(homedir(), ".majordomo-codex-"))
  mkdirSync(join(home, ".codex"))
  writeFileSync(
    join(home, ".codex/config.toml"),
    `model = "gpt-5-mini"
model_provider = "majordomo"

[model_providers.majordomo]
name = "Majordomo"
base_url = "${gateway.origin}/v1"
env_key = "MAJORDOMO_API_KEY"
wire_api = "responses"
supports_websockets = true
`,
  )
  const env = { HOME: home, PATH: process.env["PATH"], MAJORDOMO_API_KEY: key }
  const running = promisify(execFile)(CODEX!, ["exec", "--skip-git-repo-check", "Say hello"], { cwd: home, env })
  running.child.stdin?.end()
  const { stdout, stderr } = await running
  return stdout + stderr
}

describe.skipIf(CODEX === undefined)("Codex with supports_websockets, when DOCS_TOOLS has it", () => {
  it("a turn is a session of two responses: a warm-up, of which no one knows whether it is billed, and the answer", async () => {
    house = await openSessionHouse("openai")
    house.provider.always({ text: "Hello from far.", tokens: TOKENS })
    expect(await runCodex(house)).toContain("Hello from far.")
    expect(house.provider.sessions).toHaveLength(1)
    const rows = await house.nextRows(2)
    const warmUp = { input_tokens: 120, output_tokens: 0, cost_status: "estimated", total_cost: 0.0000255 }
    expect(rows).toMatchObject([{ ...ROW, ...warmUp }, ROW])
    const [{ headers }] = house.provider.sessions as [ProviderSession]
    const metadata = { Client: expect.stringMatching(/^codex\/\d+\.\d+$/), "Session-Id": headers["session-id"] }
    for (const { transport, websocket_id, raw_metadata } of rows) {
      expect({ transport, websocket_id }).toEqual({ transport: "websocket", websocket_id: rows[0]!.id })
      expect(raw_metadata).toEqual(metadata)
    }
  })

  it("where WebSockets are turned off, the turn is one HTTP request", async () => {
    house = await openSessionHouse("openai", { settings: { MAJORDOMO_WEBSOCKETS_ENABLED: "false" } })
    expect(await runCodex(house)).toContain("The fake provider heard")
    expect(house.provider.sessions).toEqual([])
    const [row] = (await house.nextRows(1)) as [SessionRow]
    expect(row).toMatchObject({ provider: "openai", model: "gpt-5-mini", transport: null, request_method: "POST" })
    // Codex sends several thousand tokens of instructions.
    const [input, output] = [row["input_tokens"], row["output_tokens"]].map(Number) as [number, number]
    expect(Number(row["total_cost"])).toBeCloseTo((input * 0.25 + output * 2) / 1e6, 12)
    expect(row["cost_status"]).toBe("exact")
  })
})
