import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { aSpendLog } from "../imports/_litellm.ts"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { until } from "../support/until.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))
/** The table of LiteLLM, with the types that its schema gives to the columns. */
const LITELLM = `CREATE TABLE "LiteLLM_SpendLogs" (request_id text PRIMARY KEY, call_type text NOT NULL, api_key text NOT NULL DEFAULT '',
  spend double precision NOT NULL DEFAULT 0, total_tokens integer NOT NULL DEFAULT 0, prompt_tokens integer NOT NULL DEFAULT 0,
  completion_tokens integer NOT NULL DEFAULT 0, "startTime" timestamp(3) NOT NULL, "endTime" timestamp(3) NOT NULL,
  "completionStartTime" timestamp(3), model text NOT NULL DEFAULT '', model_group text, custom_llm_provider text, "user" text, metadata jsonb,
  cache_hit text, request_tags jsonb, team_id text, end_user text, status text, messages jsonb, response jsonb)`

let database: TestDatabase
let client: pg.Client
let installation: Installation
let settings: Record<string, string>

beforeAll(async () => {
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  settings = { DATABASE_URL: database.url, MAJORDOMO_PRICING_REMOTE_URL: "" }
  installation = createInstallation(settings)
})
beforeEach(() => client.query("TRUNCATE llm_requests, llm_imports"))
afterAll(async () => {
  await installation?.remove()
  await client?.end()
  await database?.drop()
})

const toLines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `${JSON.stringify(aSpendLog(from + n))}\n`).join("")
const countRows = async () => Number((await client.query("SELECT count(*) FROM llm_requests")).rows[0].count)

test("after a kill -9 in the middle of an import, the same import gives each request one row", async () => {
  const child = spawn(process.execPath, [BIN, "import", "litellm", "-"], {
    env: await installation.environment(),
    cwd: installation.home,
    stdio: ["pipe", "ignore", "ignore"],
  })
  child.stdin.on("error", () => {}).write(toLines(0, 2600))
  await until(async () => expect(await countRows()).toBeGreaterThan(500), 100)
  child.kill("SIGKILL")
  await once(child, "exit")
  const stored = await countRows()

  const all = toLines(0, 5000)
  const result = await installation.runJson(["import", "litellm", "-"], {}, all)
  expect(result).toMatchObject({ records: 5000, requests: 5000 - stored, known: stored, bad: 0 })
  expect(await countRows()).toBe(5000)
  expect(await installation.runJson(["import", "litellm", "-"], {}, all)).toMatchObject({ id: null, known: 5000 })
  expect(await installation.runJson(["import", "list"])).toMatchObject([
    { requests: 5000 - stored, status: "finished" },
    { requests: stored, status: "unfinished" },
  ])
  expect(await installation.run(["verify"])).toMatchObject({ code: 0, stderr: "" })
  const { total } = (await installation.runJson(["usage", "--by", "model", "--since", "2026-11-01"])) as {
    total: object
  }
  expect(total).toMatchObject({ requests: 5000, total_cost: "2.1", estimated: 5000 })
})

test("a dry run, an import, its list and its removal say what they do", async () => {
  writeFileSync(join(installation.home, "logs.jsonl"), `${toLines(0, 3)}not json\n`)
  const dry = await installation.run(["import", "litellm", "logs.jsonl", "--dry-run"])
  expect(dry.stdout).toContain("3 requests would be imported: from 2026-11-02 to 2026-11-02 (UTC), $0.00126")
  expect(dry.stderr).toContain("line 4: the line is not a JSON object")
  expect(dry.code).toBe(1)
  expect(await countRows()).toBe(0)

  const done = await installation.run(["import", "litellm", "logs.jsonl"])
  expect(done.stdout).toContain("3 requests were imported")
  const id = /import undo (\S+)/.exec(done.stdout)![1]!
  expect((await installation.run(["import", "list"])).stdout).toContain(id)
  expect(
    (await installation.run(["usage", "--since", "2026-11-01", "--source", "gateway", "--json"])).stdout,
  ).toContain('"requests": 0')
  const undone = await installation.run(["import", "undo", id, "--yes"])
  expect(undone.stdout).toContain("Removed 3 requests of litellm, from all totals too")
  expect(await countRows()).toBe(0)
  expect((await installation.run(["verify"])).code).toBe(0)
})

test.each([
  [["import", "litellm"], "FILE is missing"],
  [["import", "litellm", "missing.csv"], "missing.csv cannot be read (ENOENT): give the path of an export"],
  [["import", "litellm", "-", "--from", "postgres://x"], "either FILE or --from, not both"],
  [["import", "litellm", "--from", "mysql://x"], "--from: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE"],
  [["import", "helicone", "-", "--key", "nobody"], '--key: there is no API key with the id or the name "nobody"'],
  [["import", "langfuse", "-", "--since", "someday"], "--since: expected"],
  [["import", "openrouter", "-"], "The file is empty."],
  [["import", "undo", "0197"], "there is no import with this id"],
])("%j is an error that says what to do", async (args, message) => {
  const { code, stderr } = await installation.run(args, {}, "")
  expect(stderr).toContain(message)
  expect(code).not.toBe(0)
})

test("the database of LiteLLM is read as its exports are, page by page", async () => {
  const litellm = await createTestDatabase({ empty: true })
  const source = new pg.Client({ connectionString: litellm.url })
  await source.connect()
  await source.query(LITELLM)
  const rows = Array.from({ length: 1500 }, (_, n) => aSpendLog(n))
  await source.query({
    text: `INSERT INTO "LiteLLM_SpendLogs" SELECT * FROM json_populate_recordset(NULL::"LiteLLM_SpendLogs", $1)`,
    values: [JSON.stringify(rows)],
  })
  await source.end()
  const from = ["import", "litellm", "--from", litellm.url]
  expect(await installation.runJson(from)).toMatchObject({ requests: 1500, total_cost: "0.63", bad: 0 })
  expect(await installation.runJson(["import", "litellm", "-"], {}, toLines(0, 1500))).toMatchObject({
    requests: 0,
    known: 1500,
  })
  const { code, stderr } = await installation.run(["import", "litellm", "--from", database.url])
  expect(stderr).toContain(
    'the database has no table "LiteLLM_SpendLogs": --from is the address of the database of LiteLLM',
  )
  expect(code).not.toBe(0)
  await litellm.drop()
})

test("a gateway from afar takes the same file", async () => {
  const token = (await installation.runJson(["tokens", "create", "--name", "one", "--role", "admin"])) as {
    token: string
  }
  const gateway = await installation.serve()
  const remote = ["--gateway", gateway.origin, "--token", token.token]
  writeFileSync(join(installation.home, "logs.jsonl"), toLines(0, 700))
  const result = (await installation.runJson(["import", "litellm", "logs.jsonl", ...remote])) as { id: string }
  expect(result).toMatchObject({ requests: 700, known: 0 })
  expect(await installation.runJson(["import", "undo", result.id, ...remote])).toMatchObject({ requests: 700, left: 0 })
  expect(await countRows()).toBe(0)
  await gateway.stop()
})
