import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))
const ID = "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d"

let empty: TestDatabase
let home: Installation
beforeAll(async () => {
  empty = await createTestDatabase({ empty: true })
  home = createInstallation({ DATABASE_URL: empty.url, TZ: "UTC" }, { inProcess: true })
})
afterAll(async () => {
  await home.remove()
  await empty.drop()
})
const run = (...args: string[]) => home.run(args)

describe("wrong usage exits with 2 and one line that says what was probably meant", () => {
  test.each([
    [["keyz", "list"], /no such command "keyz"; did you mean "keys"\?/],
    [["keys", "crate"], /did you mean "create"\?/],
    [["keys"], /a command is missing: create, list, get, update, rotate, revoke/],
    [["usage", "--bye", "model"], /no such option --bye; did you mean --by\?/],
    [["usage", "--by", "modle"], /did you mean model\?/],
    [["usage", "--by", "model,key,day"], /one or two dimensions/],
    [["usage", "--by"], /--by needs a value/],
    [["usage", "--json", "--csv"], /not both/],
    [["usage", "--json", "--json"], /--json is given twice/],
    [["usage", "--since", "soon"], /--since: expected 7d, 24h, today/],
    [["usage", "--since", "today", "--until", "yesterday"], /--until: expected a moment later than since/],
    [["usage", "--tz", "Mars/Base"], /--tz: expected a time zone such as/],
    [["usage", "--where", "Feature"], /--where: expected Name=value/],
    [["usage", "--status", "bad"], /--status: expected error, success/],
    [["usage", "--limit", "0"], /--limit: expected a whole number from 1/],
    [["usage", "--sort", "price"], /--sort: expected cost/],
    [["usage", "request"], /ID is missing/],
    [["keys", "create"], /--name is missing/],
    [["keys", "list", "x"], /"x" is one word too many/],
    [["keys", "update", ID], /nothing to change/],
    // These options may be repeated, so that only the last value is wrong.
    [["keys", "create", "--name", "n", "--metadata", "a=b", "--metadata", "c"], /--metadata: expected NAME=VALUE/],
    [["keys", "update", ID, "--locked-metadata", "a=b", "--locked-metadata", "c"], /metadata: expected NAME=VALUE/],
    [["--frobnicate"], /no such option --frobnicate/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await run(...args)
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd()).not.toContain("\n")
    expect([code, stdout]).toEqual([2, ""])
  })
})

describe("help", () => {
  test.each([
    [["--help"], "Usage: majordomo-gateway COMMAND"],
    [["-h"], "Usage: majordomo-gateway COMMAND"],
    [["keys", "--help"], "Usage: majordomo-gateway keys COMMAND"],
    [["keys", "create", "--help"], "Usage: majordomo-gateway keys create --name NAME [OPTIONS]"],
    [["keys", "get", "--help"], "Usage: majordomo-gateway keys get ID [OPTIONS]"],
    [["migrate", "--help"], "Usage: majordomo-gateway migrate [OPTIONS]"],
    [["serve", "--help"], "--port"],
    [["usage", "--help"], "--by DIM[,DIM]"],
    [["usage", "request", "--help"], "--explain"],
    [["provider-keys", "--help"], "Usage: majordomo-gateway provider-keys COMMAND"],
    [["pricing", "--help"], "Usage: majordomo-gateway pricing COMMAND"],
    [["limits", "create", "--help"], "Usage: majordomo-gateway limits create NAME --measure WHAT"],
    [["help"], "Usage: majordomo-gateway COMMAND"],
    [["help", "keys"], "Usage: majordomo-gateway keys COMMAND"],
    [["help", "keys", "create"], "Usage: majordomo-gateway keys create --name NAME [OPTIONS]"],
  ])("%j", async (args, text) => {
    const { code, stdout, stderr } = await run(...args)
    expect(stdout).toContain(text)
    expect(stdout).not.toContain("\u001b")
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([])
    expect([code, stderr]).toEqual([0, ""])
  })

  test("without a command the help goes to stderr, and it is wrong usage", async () => {
    const { code, stdout, stderr } = await run()
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).toContain("Usage: majordomo-gateway COMMAND")
  })

  test("--version, -v and version print the version of the package", async () => {
    const { version } = (await import("../../package.json", { with: { type: "json" } })).default
    for (const word of ["--version", "-v", "version"]) expect((await run(word)).stdout).toBe(`${version}\n`)
  })
})

describe("an expected failure exits with 1 and one line", () => {
  test("a configuration with mistakes", async () => {
    const { code, stderr } = await home.run(["usage"], { MAJORDOMO_SERVER_PROT: "1" })
    expect(stderr).toBe(
      "error: MAJORDOMO_SERVER_PROT (environment): unknown setting; did you mean MAJORDOMO_SERVER_PORT?\n",
    )
    expect(code).toBe(1)
  })

  test("no database, without its password", async () => {
    const { code, stderr } = await home.run(["usage"], { DATABASE_URL: "postgres://me:swordfish@127.0.0.1:1/x" })
    expect(stderr).toMatch(/^error: no PostgreSQL listens at 127\.0\.0\.1:1.*\n$/)
    expect(stderr).not.toContain("swordfish")
    expect(code).toBe(1)
  })

  test("a database without the schema", async () => {
    const { code, stdout, stderr } = await run("keys", "list")
    expect(stderr).toBe("error: the database has no schema yet, or an old one: run majordomo-gateway migrate\n")
    expect([code, stdout]).toEqual([1, ""])
  })
})

describe("from an empty database to a report", () => {
  let key: { id: string; name: string; key: string }

  test("keys create creates the schema and prints the key in exactly this form", async () => {
    const { code, stdout } = await run("keys", "create", "--name", "Development")
    const [, id, secret] = /ID: {3}(\S+)\n[\s\S]*Key: {2}(\S+)\n/.exec(stdout)!
    expect(id).toMatch(/^[0-9a-f]{8}-/)
    expect(secret).toMatch(/^mdm_sk_[\w-]{43}$/)
    expect(stdout).toBe(
      `API Key created successfully!\n\n  ID:   ${id}\n  Name: Development\n  Key:  ${secret}\n\n⚠️  Save this key now - it cannot be retrieved later.\n`,
    )
    expect(code).toBe(0)
  })

  test("keys create --json is JSON and nothing else", async () => {
    key = JSON.parse((await run("keys", "create", "--name", "CI", "--description", "tests", "--json")).stdout)
    expect(key).toMatchObject({ name: "CI", key: expect.stringMatching(/^mdm_sk_/) })
  })

  test("migrate says what it did, and can be repeated", async () => {
    expect(await run("migrate")).toMatchObject({
      code: 0,
      stdout: "The schema is up to date: nothing to do (PostgreSQL)\n",
    })
    expect(JSON.parse((await run("migrate", "--json")).stdout)).toEqual({
      database: "PostgreSQL",
      did: "nothing",
      rows_kept: 0,
    })
  })

  test("keys list and get show everything but the secret", async () => {
    const { stdout } = await run("keys", "list")
    expect(stdout).toContain(key.id)
    expect(stdout).not.toContain("mdm_sk_")
    const one = JSON.parse((await run("keys", "get", key.id, "--json")).stdout)
    expect(one).toEqual({
      id: key.id,
      name: "CI",
      description: "tests",
      status: "active",
      discount_percent: null,
      default_metadata: {},
      locked_metadata: {},
      required_metadata: [],
      provider_keys: [],
      models: null,
      providers: null,
      limits: [],
      expires_at: null,
      previous_secret_until: null,
      created_at: expect.stringMatching(/Z$/),
      revoked_at: null,
      last_used_at: null,
      request_count: 0,
    })
  })

  test("keys update changes only the given members", async () => {
    await run("keys", "update", key.id, "--name", "Build")
    expect((await run("keys", "get", key.id)).stdout).toMatch(/Name: +Build\nDescription: +tests\n/)
  })

  test("keys revoke revokes a key once", async () => {
    expect((await run("keys", "revoke", key.id)).stdout).toContain("is revoked")
    expect((await run("keys", "revoke", key.id)).stdout).toContain("was revoked before")
    expect((await run("keys", "get", key.id)).stdout).toMatch(/Status: +revoked/)
  })

  test.each([
    [["keys", "get", "abc"], /no API key with the id or the name "abc"/],
    [["keys", "revoke", ID], /no API key with the id/],
    [["keys", "update", ID, "--name", "x"], /no API key with the id/],
    [["keys", "create", "--name", " "], /must not be empty/],
    [["keys", "create", "--name", "x".repeat(256)], /at most 255 characters, got 256/],
    [["usage", "request", "mdm_sk_hidden"], /got an API key/],
    [["usage", "request", ID], /there is no request/],
  ])("%j is rejected with the reason", async (args, message) => {
    const { code, stdout, stderr } = await run(...args)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain("hidden")
    expect([code, stdout]).toEqual([1, ""])
  })

  test("an empty report shows how to send the first request", async () => {
    for (const args of [["usage"], ["usage", "--by", "model"], ["usage", "requests"]]) {
      const { code, stdout } = await run(...args)
      expect(stdout).toContain("curl http://localhost:7680/v1/chat/completions")
      expect(code).toBe(0)
    }
  })

  test("an empty report in JSON has no rows and a total of 0", async () => {
    const report = JSON.parse((await run("usage", "--by", "model", "--json")).stdout)
    expect(report).toMatchObject({ by: ["model"], rows: [], total: { requests: 0, total_cost: "0" } })
  })
})

describe("reports", () => {
  let database: TestDatabase
  let settings: Record<string, string>
  const report = (...args: string[]) => home.run(["usage", ...args], settings)

  beforeAll(async () => {
    database = await createTestDatabase()
    settings = { DATABASE_URL: database.url }
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    const dev = await insertKey(client, "Development")
    const line = (bucket: string, side: string, quantity: number, rate: string, amount: string) => {
      return {
        side,
        bucket,
        model: "gpt-4o-mini",
        quantity,
        rate,
        per: "million",
        factor: "1",
        amount,
        source: "llm-prices.com",
        date: "2026-11-01",
      }
    }
    const lines = [
      line("input", "input", 600, "0.15", "0.00009"),
      line("cacheRead", "input", 400, "0.075", "0.00003"),
      line("output", "output", 500, "0.6", "0.0003"),
    ]
    const metadata = { "User-Id": "=1+1", Feature: "chat" }
    const at = (hour: string) => `2026-11-0${hour}:00Z`
    const call = { key: dev, model: "gpt-4o-mini", cost: "0.00042", input: 1000, cached: 400, output: 500 }
    await insertRows(client, [
      { ...call, id: ID, at: at("1T10:00"), metadata, price: { lines }, sides: ["0.00012", "0.0003"] },
      { ...call, at: at("2T10:00"), metadata: { "User-Id": "42" } },
      { ...call, at: at("2T11:00"), model: "evil\u001b[2J", cost: null, status: "unpriced", code: 500 },
    ])
    await client.end()
  })
  afterAll(() => database.drop())

  const period = ["--since", "2026-11-01", "--until", "2026-11-03", "--tz", "Europe/Lisbon"]

  test("--json has exactly the documented shape", async () => {
    const { stdout, stderr } = await report(
      "--by",
      "model",
      ...period,
      "--model",
      "gpt*",
      "--where",
      "feature=chat",
      "--json",
    )
    const row = {
      requests: 1,
      errors: 0,
      input_tokens: 1000,
      cached_tokens: 400,
      cache_creation_tokens: 0,
      output_tokens: 500,
      total_cost: "0.00042",
      share: 1,
      exact: 1,
      estimated: 0,
      unpriced: 0,
      subscription_requests: 0,
      subscription_value: "0",
    }
    expect(JSON.parse(stdout)).toStrictEqual({
      since: "2026-11-01T00:00:00+00:00",
      until: "2026-11-04T00:00:00+00:00",
      tz: "Europe/Lisbon",
      by: ["model"],
      filters: { model: "gpt*", where: { Feature: "chat" } },
      rows: [{ model: "gpt-4o-mini", ...row }],
      total: row,
      groups: 1,
    })
    expect(stderr).toBe("")
  })

  test("the default period is the last 30 days and begins at midnight", async () => {
    const { since, until } = JSON.parse((await report("--by", "day", "--json", "--tz", "UTC")).stdout)
    const today = Date.parse(`${until.slice(0, 10)}T00:00:00Z`)
    expect(Date.parse(since)).toBe(today - 29 * 86_400_000)
  })

  test("[OUT-02] --csv has the same fields, and a spreadsheet executes no cell", async () => {
    const { stdout } = await report("--by", "User-Id", ...period, "--csv", "--sort", "name")
    expect(stdout).toMatchInlineSnapshot(`
      "User-Id,requests,errors,input_tokens,cached_tokens,cache_creation_tokens,output_tokens,total_cost,share,exact,estimated,unpriced,subscription_requests,subscription_value
      42,1,0,1000,400,0,500,0.00042,0.5,1,0,0,0,0
      "'=1+1",1,0,1000,400,0,500,0.00042,0.5,1,0,0,0,0
      ,1,1,1000,400,0,500,,0,0,0,1,0,0
      "
    `)
  })

  test("the table in a pipe", async () => {
    const { stdout } = await report("--by", "model", ...period)
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      2026-11-01 to 2026-11-03 (Europe/Lisbon)
      Model        Requests  Errors  Input  Cached  Output  Unpriced       Cost   Share
      ---------------------------------------------------------------------------------
      gpt-4o-mini         2       0  2,000     800   1,000         0   $0.00084  100.0%
      evil�[2J            1       1  1,000     400     500         1   unpriced    0.0%
      ---------------------------------------------------------------------------------
      Total               3       1  3,000   1,200   1,500         1  >$0.00084
      > 1 request without a known price: what they cost is not in these sums.
      "
    `)
  })

  test("usage alone shows the period against the one before, its days, top models and keys, and the confidence", async () => {
    const { stdout } = await report(...period)
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      2026-11-01 to 2026-11-03 (Europe/Lisbon)
      compared with 2026-10-29 to 2026-10-31
      Requests    3, 1 with an error
      Tokens      4,500
      Cost        >$0.00084
      Confidence  66.7% exact, 33.3% unpriced (1 request: model evil�[2J)
                  to price them: majordomo-gateway pricing reprice --since 2026-11-01

      2026-11-01   $0.00042  1 request
      2026-11-02  >$0.00042  2 requests

      Model        Requests  Tokens       Cost   Share
      ------------------------------------------------
      gpt-4o-mini         2   3,000   $0.00084  100.0%
      evil�[2J            1   1,500   unpriced    0.0%
      ------------------------------------------------
      Total               3   4,500  >$0.00084

      Feature  Requests  Tokens       Cost  Share
      -------------------------------------------
      (none)          2   3,000  >$0.00042  50.0%
      chat            1   1,500   $0.00042  50.0%
      -------------------------------------------
      Total           3   4,500  >$0.00084

      User-Id  Requests  Tokens       Cost  Share
      -------------------------------------------
      42              1   1,500   $0.00042  50.0%
      =1+1            1   1,500   $0.00042  50.0%
      (none)          1   1,500   unpriced   0.0%
      -------------------------------------------
      Total           3   4,500  >$0.00084

      Key          Requests  Tokens       Cost   Share
      ------------------------------------------------
      Development         3   4,500  >$0.00084  100.0%
      ------------------------------------------------
      Total               3   4,500  >$0.00084
      "
    `)
  })

  test("usage requests shows the newest first, and --json prints the columns of llm_requests", async () => {
    expect((await report("requests", ...period)).stdout).toMatch(
      /2026-11-02 11:00:00[^\n]*unpriced[\s\S]*2026-11-01 10:00:00/,
    )
    const rows = JSON.parse((await report("requests", ...period, "--limit", "2", "--json")).stdout)
    expect(rows).toHaveLength(2)
    expect(rows[1]).toMatchObject({
      model: "gpt-4o-mini",
      input_tokens: 1000,
      total_cost: "0.00042",
      status_code: 200,
      created_at: "2026-11-02T10:00:00.000Z",
      raw_metadata: { "User-Id": "42" },
    })
  })

  test("usage request ID --explain shows the sum of the cost line by line", async () => {
    const { stdout } = await report("request", ID, "--explain", "--tz", "UTC")
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      ID       0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d
      Time     2026-11-01 10:00:00, 800 ms
      Key      Development
      Request  POST /v1/chat/completions (openai)
      Model    gpt-4o-mini
      Status   200 complete
      Input    1,000 (400 cached)
      Output   500
      Usage    reported
      Cost     $0.00042 (exact)
      Feature  chat
      User-Id  =1+1

      Bucket             Model        Quantity    Rate  per    Amount  Source
      ------------------------------------------------------------------------------------------
      input              gpt-4o-mini       600  $0.15   1M   $0.00009  llm-prices.com 2026-11-01
      input: cache read  gpt-4o-mini       400  $0.075  1M   $0.00003  llm-prices.com 2026-11-01
      output             gpt-4o-mini       500  $0.6    1M   $0.0003   llm-prices.com 2026-11-01
      ------------------------------------------------------------------------------------------
      Total                                                  $0.00042
      Input $0.00012 + output $0.0003 = $0.00042
      "
    `)
  })

  test("pricing reprice --dry-run lists the models that would change", async () => {
    const { stdout, code } = await home.run(
      ["pricing", "reprice", "--since", "2026-11-02", "--tz", "UTC", "--dry-run", "--json"],
      settings,
    )
    expect(code).toBe(0)
    const { dry_run, models } = JSON.parse(stdout)
    expect(dry_run).toBe(true)
    expect(models.map(({ model }: { model: string }) => model).sort()).toEqual(["evil\u001b[2J", "gpt-4o-mini"])
  })

  test("[SEC-10] nothing that a client sent reaches the terminal as a control sequence", async () => {
    for (const args of [["--by", "model"], ["requests"], [], ["--by", "model", "--json"], ["--by", "model", "--csv"]]) {
      expect((await report(...args, ...period)).stdout).not.toContain("\u001b")
    }
  })

  test("if the reader of the output leaves, the command ends without an error", async () => {
    const env = await home.environment(settings)
    const child = spawn(process.execPath, [BIN, "usage", "requests", ...period, "--json"], { env, cwd: home.home })
    child.stdout.destroy()
    let stderr = ""
    child.stderr.on("data", (chunk) => {
      stderr += chunk
    })
    const code = await new Promise((resolve) => child.once("close", resolve))
    expect([code, stderr]).toEqual([0, ""])
  })
})
