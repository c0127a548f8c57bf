import { createHash } from "node:crypto"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { text } from "node:stream/consumers"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { untilFound } from "../support/until.ts"

/** Starting from sources takes longer than the built program. */
const START_MS = 120_000

const FOLDER = "test/fixtures/new-dialect/providers/cohere"
const LINE = 'export { cohere } from "./cohere/index.ts"\n'

const CREDENTIAL = "co-secret-0123456789"
const USAGE = {
  billed_units: { input_tokens: 1000, output_tokens: 500 },
  tokens: { input_tokens: 1071, output_tokens: 500 },
}

/**
 * Copies the program's sources, and adds the dialect as its author would: its folder, and one line in the table.
 * @returns the file that runs the copy
 */
function copyProgram(directory: string): string {
  for (const name of ["src", "schema.sql", "migrations", "package.json"]) {
    if (existsSync(name)) cpSync(name, join(directory, name), { recursive: true })
  }
  symlinkSync(resolve("node_modules"), join(directory, "node_modules"))
  cpSync(FOLDER, join(directory, "src/providers/cohere"), { recursive: true })
  const table = join(directory, "src/providers/index.ts")
  writeFileSync(table, readFileSync(table, "utf8") + LINE)

  // Node 20 cannot run TypeScript, so Vite removes the types while it loads the modules.
  writeFileSync(
    join(directory, "program.ts"),
    'import { run } from "./src/index.ts"\nawait run(process.argv.slice(2))\n',
  )
  const bin = join(directory, "run.mjs")
  const options = JSON.stringify({ root: directory, configFile: false, logLevel: "error" })
  writeFileSync(bin, `import { runnerImport } from "vite"\nawait runnerImport("./program.ts", ${options})\n`)
  return bin
}

/** Cohere as its documentation describes it, on the loopback. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = JSON.parse(await text(request))
  const send = (status: number, contentType: string, content: string) =>
    response.writeHead(status, { "content-type": contentType }).end(content)
  const json = (status: number, content: object) => send(status, "application/json", JSON.stringify(content))

  if (request.url === "/v1/tokenize") return void json(200, { tokens: [10002, 1706], token_strings: ["to", "ken"] })
  if (body.model === "unknown-model") {
    return void json(404, { message: `model 'unknown-model' not found for ${request.headers.authorization}` })
  }
  const message = { role: "assistant", content: [{ type: "text", text: "Hello" }] }
  if (!body.stream) return void json(200, { id: "c1", finish_reason: "COMPLETE", message, usage: USAGE })
  const events = [
    { type: "message-start", id: "c1", delta: { message: { role: "assistant" } } },
    { type: "content-delta", index: 0, delta: { message: { content: { text: "Hello" } } } },
    { type: "message-end", delta: { finish_reason: "COMPLETE", usage: USAGE } },
  ]
  const stream = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  send(200, "text/event-stream", stream.join(""))
}

describe("a new API is one folder and one line", () => {
  let directory: string
  let provider: Server
  let installation: Installation
  let gateway: RunningGateway
  let key: string
  let database: pg.Client

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "majordomo-dialect-"))
    provider = createServer((request, response) => void answer(request, response))
    await new Promise<void>((done) => provider.listen(0, "127.0.0.1", done))
    const { url } = await createTestDatabase()
    database = new pg.Client({ connectionString: url })
    await database.connect()
    installation = createInstallation(
      {
        DATABASE_URL: url,
        MAJORDOMO_PROVIDERS_COHERE_BASE_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}`,
        MAJORDOMO_PRICING_REMOTE_URL: "",
        MAJORDOMO_PRICING_OVERRIDES: '{"command-a":{"input":2.5,"output":10}}',
      },
      { bin: copyProgram(directory) },
    )
    gateway = await installation.serve()
    key = await untilFound(() => /mdm_sk_[\w-]+/.exec(gateway.stdout)?.[0])
  }, START_MS)
  afterAll(async () => {
    await installation?.remove()
    await database?.end()
    await new Promise((done) => provider.close(done))
    rmSync(directory, { recursive: true, force: true })
  })

  const send = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(gateway.origin + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-majordomo-key": key,
        authorization: `Bearer ${CREDENTIAL}`,
        ...headers,
      },
      body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }], ...body }),
    })

  /** The row of an answer, as soon as it is in the database. */
  async function rowOf({ headers }: Response): Promise<Record<string, unknown>> {
    const id = headers.get("x-majordomo-request-id")
    const rows = async () => (await database.query("SELECT * FROM llm_requests_full WHERE id = $1", [id])).rows
    await expect.poll(async () => (await rows()).length).toBe(1)
    return (await rows())[0]
  }

  const PRICED = {
    provider: "cohere",
    model: "command-a",
    request_path: "/v2/chat",
    provider_api_key_hash: createHash("sha256").update(CREDENTIAL).digest("hex"),
    input_tokens: "1000",
    output_tokens: "500",
    usage: USAGE,
    cost_status: "exact",
    // 1000 x 2.5 + 500 x 10 USD per million.
    total_cost: "0.007500000000",
  }

  test("its requests are routed by their path, and metered and priced", async () => {
    const response = await send("/v2/chat", { model: "command-a" })
    expect(await response.json()).toMatchObject({ usage: USAGE })
    expect(response.headers.get("x-majordomo-cost")).toBe("0.0075")
    expect(await rowOf(response)).toMatchObject({ ...PRICED, streamed: false })
  })

  test("its streams are metered and priced", async () => {
    const response = await send("/v2/chat", { model: "command-a", stream: true })
    expect(await response.text()).toContain("message-end")
    expect(await rowOf(response)).toMatchObject({ ...PRICED, streamed: true })
  })

  test("its free operations are free", async () => {
    const response = await send("/v1/tokenize", { model: "command-a", text: "token" })
    expect(response.status).toBe(200)
    expect(await rowOf(response)).toMatchObject({
      provider: "cohere",
      cost_status: "free",
      total_cost: "0.000000000000",
    })
  })

  test("its error messages are in the row, without the credential", async () => {
    const response = await send("/v2/chat", { model: "unknown-model" })
    expect(response.status).toBe(404)
    expect(await rowOf(response)).toMatchObject({
      status_code: 404,
      error_message: "model 'unknown-model' not found for ***",
    })
  })

  test("the gateway's own errors have its shape", async () => {
    const response = await send("/v2/chat", { model: "command-a" }, { "x-majordomo-key": "mdm_sk_wrong" })
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({ message: expect.stringContaining("gateway key") })
  })

  test(
    "it is one of the formats that the settings accept",
    async () => {
      const { stderr } = await installation.run(["health"], { MAJORDOMO_PROVIDERS_MINE_FORMAT: "nonsense" })
      expect(stderr).toContain("expected one of openai, anthropic, bedrock, cohere, gemini, got")
    },
    START_MS,
  )

  test(
    "its rows are priced again from what they keep",
    async () => {
      const response = await send("/v2/chat", { model: "command-new" })
      expect(await rowOf(response)).toMatchObject({ cost_status: "unpriced", total_cost: null })
      const prices = { MAJORDOMO_PRICING_OVERRIDES: '{"command-new":{"input":5,"output":20}}' }
      const repriced = await installation.runJson(["pricing", "reprice", "--since", "1d", "--unpriced"], prices)
      expect(repriced).toMatchObject({
        models: [{ provider: "cohere", model: "command-new", changed: 1, after: "0.015" }],
      })
      expect(await rowOf(response)).toMatchObject({ cost_status: "exact", total_cost: "0.015000000000" })
    },
    START_MS,
  )
})
