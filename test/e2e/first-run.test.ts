import { execFile } from "node:child_process"
import { readdirSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway, toComplaints } from "../support/gateway.ts"

const MODEL = "gpt-4o-mini"
const TOKENS = { input: 1000, cached: 400, output: 500 }
/** 600 × 0.15 + 400 × 0.075 + 500 × 0.60 USD per million tokens. */
const COST = 0.00042

type Row = Readonly<Record<string, unknown>>

describe("in an empty home, with nothing configured", () => {
  let fakeProvider: FakeProvider
  let installation: Installation
  let gateway: RunningGateway

  beforeAll(async () => {
    fakeProvider = await startFakeProvider()
    installation = createInstallation({
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      // No test leaves the loopback interface; the bundled prices are sufficient.
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
    gateway = await installation.serve()
  })
  afterAll(async () => {
    await installation.remove()
    await fakeProvider.close()
  })

  test("[LOD-11] serve prints the banner, a first key, and how to use it", async () => {
    await expect.poll(() => gateway.stdout).toContain("usage --by model")
    expect(gateway.stdout).toContain(`Starting Majordomo Gateway on 127.0.0.1:${gateway.port}\n`)
    expect(gateway.stdout).toContain(`Connected to embedded PostgreSQL (${join(installation.home, ".majordomo")}`)
    expect(gateway.stdout).toMatch(/Pricing data loaded \(\d{3,} models\)\n/)
    expect(new Set(gateway.stdout.match(/mdm_sk_[\w-]+/g))).toHaveProperty("size", 1)
    // [U12] Something is on the screen before the database exists.
    expect(gateway.stderr).toContain("Creating the embedded database, which takes 3 to 30 seconds")
    expect(gateway.stdout).toContain("new OpenAI(")
    expect(gateway.stdout).toContain("new Anthropic(")
  })

  test("the printed curl command works, and the request has a priced row", async ({ skip }) => {
    const curl = /^ *curl (?:.*\\\n)*.*$/m.exec(gateway.stdout)?.[0] ?? ""
    expect(curl).toContain(`:${gateway.port}/v1/chat/completions`)
    const run = promisify(execFile)
    const hasCurl = await run("curl", ["--version"]).then(
      () => true,
      () => false,
    )
    skip(!hasCurl, "curl is not installed")
    fakeProvider.next({ tokens: TOKENS, model: `${MODEL}-2024-07-18` })
    const { stdout } = await run("sh", ["-c", curl], { env: { PATH: process.env["PATH"], OPENAI_API_KEY: "sk-test" } })
    expect(JSON.parse(stdout)).toHaveProperty("usage.prompt_tokens", TOKENS.input)
    expect(await fakeProvider.nextRequest()).toHaveProperty("headers.authorization", "Bearer sk-test")

    const row = await firstRow()
    expect(row).toMatchObject({
      provider: "openai",
      model: `${MODEL}-2024-07-18`,
      requested_model: MODEL,
      status_code: 200,
      input_tokens: TOKENS.input,
      cached_tokens: TOKENS.cached,
      output_tokens: TOKENS.output,
      usage_source: "reported",
      cost_status: "exact",
      outcome: "complete",
    })
    expect(Number(row["total_cost"])).toBe(COST)
  })

  test("usage --by model shows the request", async () => {
    const { code, stdout } = await installation.run(["usage", "--by", "model"])
    expect(code).toBe(0)
    expect(stdout).toContain(`${MODEL}-2024-07-18`)
    expect(stdout).toContain("0.00042")
    const { rows } = (await installation.runJson(["usage", "--by", "model"])) as { readonly rows: readonly Row[] }
    expect(rows).toMatchObject([
      { model: `${MODEL}-2024-07-18`, requests: 1, errors: 0, input_tokens: 1000, output_tokens: 500, exact: 1 },
    ])
    expect(Number(rows[0]?.["total_cost"])).toBe(COST)
  })

  test("only the user can access the files", () => {
    const data = join(installation.home, ".majordomo")
    expect(statSync(data).mode & 0o777).toBe(0o700)
    const open = readdirSync(data, { recursive: true, encoding: "utf8" })
      .filter((path) => (statSync(join(data, path), { throwIfNoEntry: false })?.mode ?? 0) & 0o077)
      // Other users cannot reach sockets and directories inside a directory with mode 0700.
      .filter((path) => statSync(join(data, path), { throwIfNoEntry: false })?.isFile())
    expect(open).toEqual([])
  })

  test("a port in use gives one clear line and exit code 1, and the first gateway continues", async () => {
    const other = createInstallation({ MAJORDOMO_PRICING_REMOTE_URL: "" })
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve))
    const { port } = blocker.address() as { readonly port: number }
    try {
      const { code, stderr } = await other.run(["serve", "--port", String(port)])
      expect(code).toBe(1)
      expect(toComplaints(stderr)).toMatch(new RegExp(`^error: .*\\b${port}\\b.*\n$`))
    } finally {
      blocker.close()
      await other.remove()
    }
    expect(await (await fetch(`${gateway.origin}/health`)).text()).toBe("ok")
  })

  test("[SHU-02] SIGTERM ends it with exit code 0; the next start has the key and the row, and prints no second key", async () => {
    const key = /mdm_sk_[\w-]+/.exec(gateway.stdout)?.[0] ?? ""
    expect(await gateway.stop("SIGTERM")).toMatchObject({ code: 0, signal: null })
    gateway = await installation.serve()
    // [U12] A restart says where to send requests too.
    await expect.poll(() => gateway.stdout).toContain(`Send requests to http://localhost:${gateway.port}\n`)
    expect(gateway.stderr).not.toContain("Creating the embedded database")
    const headers = { "x-majordomo-key": key, authorization: "Bearer sk-test" }
    expect((await fetch(`${gateway.origin}/v1/models`, { headers })).status).toBe(200)
    const rows = (await installation.runJson(["usage", "requests"])) as readonly Row[]
    expect(rows.map(({ model }) => model)).toContain(`${MODEL}-2024-07-18`)
    expect((await gateway.stop("SIGINT")).code).toBe(0)
    expect(gateway.stdout).not.toContain("mdm_sk_")
  })

  /** Waits until the row of the first request is in the database. */
  async function firstRow(): Promise<Row> {
    for (;;) {
      const [row] = (await installation.runJson(["usage", "requests"])) as readonly Row[]
      if (row !== undefined) return row
    }
  }
})
