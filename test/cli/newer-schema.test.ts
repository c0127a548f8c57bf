import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openPostgres } from "../../src/database/open.ts"
import { migrate } from "../../src/database/schema.ts"
import { describeSchema, makeNewerScript, VERSION } from "../database/_schemas.ts"
import { askInVain, connectOverStdio } from "../mcp/_client.ts"
import { postgresAt } from "../support/databases.ts"
import { createInstallation, type Installation, toComplaints } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"

/** Any file: it is not read. */
const FILE = fileURLToPath(import.meta.url)

/** Each command by its file, with the shortest arguments that make it open the database. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  serve: ["serve", "--port", "0"],
  verify: ["verify"],
  migrate: ["migrate"],
  "keys/create": ["keys", "create", "--name", "one"],
  "keys/list": ["keys", "list"],
  "keys/get": ["keys", "get", ID],
  "keys/update": ["keys", "update", ID, "--name", "two"],
  "keys/revoke": ["keys", "revoke", ID],
  "keys/rotate": ["keys", "rotate", ID],
  "limits/create": ["limits", "create", "one", "--measure", "cost", "--amount", "1", "--window", "day"],
  "limits/list": ["limits", "list"],
  "limits/get": ["limits", "get", "one"],
  "limits/update": ["limits", "update", "one", "--amount", "2"],
  "limits/delete": ["limits", "delete", "one"],
  "limits/check": ["limits", "check"],
  "provider-keys/add": ["provider-keys", "add", "openai"],
  "provider-keys/list": ["provider-keys", "list"],
  "provider-keys/update": ["provider-keys", "update", "openai:a", "--default"],
  "provider-keys/rotate": ["provider-keys", "rotate", "openai:a"],
  "provider-keys/remove": ["provider-keys", "remove", "openai:a"],
  "vault/status": ["vault", "status"],
  "vault/rotate": ["vault", "rotate"],
  "tokens/create": ["tokens", "create", "--name", "one", "--role", "viewer"],
  "tokens/list": ["tokens", "list"],
  "tokens/revoke": ["tokens", "revoke", ID],
  "audit/list": ["audit", "list"],
  status: ["status"],
  "usage/report": ["usage"],
  "usage/latency": ["usage", "latency"],
  "usage/errors": ["usage", "errors"],
  "usage/requests": ["usage", "requests"],
  "usage/request": ["usage", "request", ID],
  "usage/tail": ["usage", "tail"],
  "usage/pending": ["usage", "pending"],
  "usage/runs": ["usage", "runs"],
  "usage/run": ["usage", "run", "trace"],
  "usage/export": ["usage", "export", "--bodies"],
  "usage/forecast": ["usage", "forecast"],
  "usage/what-if": ["usage", "what-if", "--model", "gpt-4o=gpt-5"],
  "usage/invoice": ["usage", "invoice", "--by", "Team"],
  "reconcile/run": ["reconcile"],
  "reconcile/history": ["reconcile", "history"],
  "reconcile/import": ["reconcile", "import", FILE, "--provider", "openai"],
  "import/litellm": ["import", "litellm", FILE],
  "import/helicone": ["import", "helicone", FILE],
  "import/langfuse": ["import", "langfuse", FILE],
  "import/openrouter": ["import", "openrouter", FILE],
  "import/go": ["import", "go", FILE],
  "import/list": ["import", "list"],
  "import/undo": ["import", "undo", ID],
  "reconcile/fix": ["reconcile", "fix", "--provider", "openai", "--model", "gpt-5"],
  "notify/list": ["notify", "list"],
  "notify/test": ["notify", "test", "ops"],
  "metadata/list": ["metadata", "list"],
  "metadata/activate": ["metadata", "activate", "User-Id"],
  "metadata/deactivate": ["metadata", "deactivate", "User-Id"],
  "archive/run": ["archive", "--to", "archive"],
  "archive/list": ["archive", "list"],
  "archive/verify": ["archive", "verify"],
  prune: ["prune", "--older-than", "30d"],
  "pricing/history": ["pricing", "history", "gpt-4o"],
  "pricing/overrides": ["pricing", "overrides"],
  "pricing/set": ["pricing", "set", "one", "--input", "1"],
  "pricing/unset": ["pricing", "unset", "one"],
  "pricing/reprice": ["pricing", "reprice", "--since", "30d"],
}
/** Doctor lists the error among its findings, mcp says it in each answer, and the others do not open this database. */
const OTHERS = [
  "mcp",
  "statusline",
  "completion",
  "import/litellm-config",
  ...["doctor", "health", "backup", "restore", "service/print", "service/install", "login", "dashboard", "vault/init"],
  ...["pricing/list", "pricing/get", "pricing/refresh"],
]

const LINE = `the schema of the database is newer than this program: it has version ${VERSION + 1}, and this program can use it up to version ${VERSION}; upgrade majordomo-gateway`

let installation: Installation
let db: Database
let before: unknown

const readAll = async () => [
  await describeSchema(db),
  (await db.query("SELECT (SELECT count(*) FROM requests) AS requests, (SELECT count(*) FROM api_keys) AS keys")).rows,
]

beforeAll(async () => {
  const { url } = await createTestDatabase()
  db = await openPostgres(postgresAt(url).postgres)
  await migrate(db, undefined, makeNewerScript("ALTER TABLE llm_requests RENAME TO requests;", { isBreaking: true }))
  before = await readAll()
  installation = createInstallation({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "" }, { inProcess: true })
})
afterAll(async () => {
  await installation.remove()
  await db.close()
})

test("the commands below are all that there are", () => {
  const index = readFileSync(new URL("../../src/index.ts", import.meta.url), "utf8")
  const files = [...index.matchAll(/import\("\.\/cli\/([\w/-]+)\.ts"\)/g)].map(([, file]) => file!)
  expect(files.sort()).toEqual([...Object.keys(COMMANDS), ...OTHERS].sort())
})

test.each(Object.entries(COMMANDS))(
  "a newer breaking schema is rejected by %s, in one line, before anything is written",
  async (_, args) => {
    const { code, stdout, stderr } = await installation.run(args)
    expect([code, stdout, toComplaints(stderr)]).toEqual([1, "", `error: ${LINE}\n`])
    expect(await readAll()).toEqual(before)
  },
)

test("several workers reject it like one", async () => {
  const workers = await installation.run(COMMANDS.serve!, { MAJORDOMO_SERVER_WORKERS: "2" })
  expect([workers.code, toComplaints(workers.stderr)]).toEqual([1, `error: ${LINE}\n`])
  expect(await readAll()).toEqual(before)
})

test("mcp says so in each answer", async () => {
  const client = await connectOverStdio(await installation.environment())
  expect(await askInVain(client, "usage_summary")).toBe(LINE)
  await client.close()
})

test("doctor says so, and what to do", async () => {
  const { code, stdout } = await installation.run(["doctor", "--json"])
  expect(code).toBe(1)
  const findings = (JSON.parse(stdout) as { findings: { check: string; status: string; message: string }[] }).findings
  expect(findings.find(({ check }) => check === "database")).toMatchObject({ status: "problem", message: LINE })
})
