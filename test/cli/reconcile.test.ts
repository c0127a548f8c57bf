import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ADMIN_KEYS, type BillingProvider, startBillingProvider } from "../support/billing-provider.ts"
import { createInstallation, type Installation, type RunningGateway, type Settings } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { aReconciliation, insertReconciliation } from "../support/reconciliations.ts"
import { insertRows } from "../support/usage-rows.ts"

const MODEL = "gpt-4o-mini-2024-07-18"
const NOVEMBER = ["--since", "2026-11-01", "--until", "2026-11-03"]
const CSV = "date,model,cost\n2026-11-02,gemini-3-pro,1.25\n"

let provider: BillingProvider
let database: TestDatabase
let home: Installation
let gateway: RunningGateway
let client: pg.Client
/** What sends a command to the gateway. */
let afar: Settings
const directory = mkdtempSync(join(tmpdir(), "mdm-bill-"))
const file = join(directory, "bill.csv")
const run = (args: readonly string[], settings?: Settings) => home.run(args, settings)

beforeAll(async () => {
  provider = await startBillingProvider({ now: Date.parse("2026-11-28T12:00:00Z") })
  database = await createTestDatabase()
  home = createInstallation({
    DATABASE_URL: database.url,
    TZ: "Asia/Tokyo",
    OPENAI_ADMIN_KEY: ADMIN_KEYS.openai,
    MAJORDOMO_RECONCILE_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_RECONCILE_DAILY: "false",
  })
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await insertRows(client, [{ at: "2026-11-02T12:00:00Z", model: MODEL, input: 1_000_000, cost: "0.15" }])
  gateway = await home.serve()
  const { token } = (await home.runJson(["tokens", "create", "--name", "ci", "--role", "admin"])) as { token: string }
  afar = { MAJORDOMO_GATEWAY_URL: gateway.origin, MAJORDOMO_ADMIN_TOKEN: token }
  writeFileSync(file, CSV)
  const day = Date.parse("2026-11-02T12:00:00Z")
  provider.serve({ provider: "openai", at: day, model: MODEL, quantities: { input: 1_000_000 } })
  provider.serve({ provider: "openai", at: day, model: MODEL, key: "key_other", quantities: { input: 200_000_000 } })
})
afterAll(async () => {
  await client?.end()
  await home?.remove()
  await database?.drop()
  await provider?.close()
  rmSync(directory, { recursive: true, force: true })
})

describe("reconcile", () => {
  test("says what was billed, what was recorded and why, here and from afar, and ends with 3 beyond the tolerance", async () => {
    const here = await run(["reconcile", "--provider", "openai", ...NOVEMBER])
    expect(here.code).toBe(3)
    expect(here.stdout).toMatch(
      /^openai {6}billed {2}\$30\.15 {4}recorded {2}\$0\.15 {4}0\.5%\n {6}\$30\.00 {2}outside the gateway /,
    )
    expect(here.stdout).toMatch(/^ {6} \$0\.00 {2}unexplained$/m)
    expect(here.stdout).toContain(
      "$30.00 of settled days is outside the gateway, in prices, in tokens or unexplained, and $1.00 is tolerated",
    )
    const there = await run(["reconcile", "--provider", "openai", ...NOVEMBER], afar)
    expect([there.code, there.stdout]).toEqual([here.code, here.stdout])
    for (const { stdout, stderr } of [here, there]) expect(stdout + stderr).not.toContain(ADMIN_KEYS.openai)
  })

  test("prints JSON with decimal texts, and each cause of each day as CSV", async () => {
    const { code, stdout } = await run(["reconcile", ...NOVEMBER, "--json"])
    const { since, until, providers } = JSON.parse(stdout)
    expect([code, since, until, providers[0].billed, providers[0].recorded]).toEqual([
      3,
      "2026-11-01",
      "2026-11-04",
      "30.15",
      "0.15",
    ])
    const csv = await run(["reconcile", ...NOVEMBER, "--csv"], afar)
    const [head, ...lines] = csv.stdout.trimEnd().split("\n")
    expect(head).toBe(
      "provider,account,day,settling,billed,recorded,cause,amount,model,tier,bucket,key,project,requests,detail,advice",
    )
    expect(lines.map((line) => line.split(",").slice(2, 8))).toContainEqual([
      "2026-11-02",
      "false",
      "30.15",
      "0.15",
      "outside",
      "30",
    ])
  })

  test("ends with 1 and says which setting is missing or wrong", async () => {
    const missing = await run(["reconcile", "--provider", "anthropic"])
    expect([missing.code, missing.stdout]).toEqual([1, ""])
    expect(missing.stderr).toContain(
      "set reconcile.anthropic.admin_key (MAJORDOMO_RECONCILE_ANTHROPIC_ADMIN_KEY, or ANTHROPIC_ADMIN_KEY)",
    )
    const none = await run(["reconcile"], { OPENAI_ADMIN_KEY: "" })
    expect(none.code).toBe(1)
    expect(none.stderr).toMatch(/no credential is set:\n.*OPENAI_ADMIN_KEY[\s\S]*OPENROUTER_PROVISIONING_KEY/)
    provider.failNext({ status: 401, text: "{}" })
    const wrong = await run(["reconcile", "--provider", "openai"])
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain("reconcile.openai.admin_key")
    expect(wrong.stderr).not.toContain(ADMIN_KEYS.openai)
  })

  test("its keys appear neither in what doctor says nor in the log of the gateway", async () => {
    const { stdout, stderr } = await run(["doctor"])
    for (const text of [stdout, stderr, gateway.stdout, gateway.stderr]) {
      expect(text).not.toContain(ADMIN_KEYS.openai)
    }
  })

  test("import reads a file here, and sends it from afar", async () => {
    for (const settings of [undefined, afar]) {
      const { code, stdout } = await run(["reconcile", "import", file, "--provider", "gemini"], settings)
      expect(stdout).toMatch(/^gemini {6}billed {2}\$1\.25 {4}recorded {2}\$0\.00 {4}0\.0%\n/)
      expect(code).toBe(3)
    }
    const missing = await run(["reconcile", "import", join(directory, "none.csv"), "--provider", "gemini"])
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("cannot be read (ENOENT)")])
    const format = await run(["reconcile", "import", file, "--provider", "gemini", "--format", "excel"])
    expect([format.code, format.stderr]).toEqual([2, expect.stringContaining("--format:")])
  })

  test("history shows the stored days without asking a provider", async () => {
    const asked = provider.adminRequests.length
    await client.query("DELETE FROM llm_reconciliations")
    await insertReconciliation(client, { ...aReconciliation(), days: [STORED_DAY] })
    const { code, stdout } = await run(["reconcile", "history", ...NOVEMBER])
    expect([code, stdout]).toEqual([
      0,
      [
        "Provider  Day            Billed   Recorded         Difference  Causes",
        "----------------------------------------------------------------------------------",
        "openai    2026-11-02  $1,204.33  $1,198.02  99.5%       $6.31  price differs $6.31",
        "",
      ].join("\n"),
    ])
    const csv = await run(["reconcile", "history", ...NOVEMBER, "--csv"], afar)
    expect(csv.stdout).toBe(
      [
        "provider,account,day,settling,billed,recorded,difference,outside,unmetered,estimated,tokens,price,discount,fees,unexplained",
        "openai,,2026-11-02,false,1204.33,1198.02,6.31,0,0,0,0,6.31,0,0,0",
        "",
      ].join("\n"),
    )
    const none = await run(["reconcile", "history", "--month", "2025-01"])
    expect([none.code, none.stdout]).toEqual([0, ""])
    expect(none.stderr).toContain("No bill was compared on these days")
    expect(provider.adminRequests).toHaveLength(asked)
  })

  test("fix shows the price that the bill implies, then sets it and prices the requests again", async () => {
    await insertReconciliation(client, { ...aReconciliation(), days: [STORED_DAY] })
    const fix = ["reconcile", "fix", "--provider", "openai", "--model", MODEL, ...NOVEMBER]
    const preview = await run([...fix, "--dry-run"])
    expect([preview.code, preview.stdout]).toEqual([
      0,
      expect.stringContaining(`Would set ${MODEL} at openai from 2026-11-02: input $0.3 (per million tokens)`),
    ])
    expect(preview.stdout).toMatch(/1 request looked at, 1 would change\.[\s\S]*\$0\.15\d* +\$0\.30\n/)
    const cost = async () => (await client.query("SELECT trim_scale(total_cost)::text AS cost FROM llm_requests")).rows
    expect(await cost()).toEqual([{ cost: "0.15" }])
    const fixed = await run([...fix, "--yes"], afar)
    expect([fixed.code, fixed.stdout]).toEqual([0, expect.stringContaining("1 request looked at, 1 changed.")])
    expect(await cost()).toEqual([{ cost: "0.3" }])
    const other = await run(["reconcile", "fix", "--provider", "openai", "--model", "gpt-9", "--yes"])
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("of no difference in the price of gpt-9")])
  })
})

const STORED_DAY = {
  day: "2026-11-02",
  billed: "1204.33",
  recorded: "1198.02",
  settling: false,
  causes: [
    {
      cause: "price",
      why: "rate",
      amount: "6.31",
      quantities: {},
      model: MODEL,
      bucket: "input",
      days: ["2026-11-02"],
      detail: "Input was billed at $0.3 per million tokens, and priced at $0.15.",
      rate: { per: "million", billed: "0.3", recorded: "0.15", source: "genai-prices", date: "2026-01-02" },
    },
  ],
} as const
