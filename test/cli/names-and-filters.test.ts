import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

let database: TestDatabase
let home: Installation
const run = (...args: string[]) => home.run(args)
const json = async (...args: string[]) => JSON.parse((await run(...args, "--json")).stdout)

const PERIOD = ["--since", "2026-01-01", "--until", "2026-01-31"]
const IDS = { tagged: "019b76da-a800-7000-8000-000000000001", untagged: "019b76da-a800-7000-8000-100000000002" }
const keys: Record<string, string> = {}

beforeAll(async () => {
  database = await createTestDatabase()
  home = createInstallation({ DATABASE_URL: database.url, TZ: "UTC" })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  for (const name of ["Search", "Twice", "Agents"]) keys[name] = await insertKey(client, name)
  await insertKey(client, "Twice")
  const call = { key: keys["Search"]!, at: "2026-01-02T10:00:00Z", model: "gpt-5-mini" }
  await insertRows(client, [
    { ...call, id: IDS.tagged, cost: "1.25", metadata: { Feature: "chat-bot" } },
    { ...call, id: IDS.untagged, cost: "0.000123456" },
    { ...call, cost: "0.5", metadata: { Feature: "" } },
  ])
  await client.end()
})
afterAll(async () => {
  await home.remove()
  await database.drop()
})

describe("[U8] filters", () => {
  test.each([
    [["--model", "gpt-5-mni"], '--model: no request has the model "gpt-5-mni"; did you mean "gpt-5-mini"?'],
    [["--provider", "opnai"], '--provider: no request has the provider "opnai"; did you mean "openai"?'],
    [["--key", "Serch"], '--key: no request has the API key "Serch"; did you mean "Search"?'],
    [["--where", "Featre=x"], '--where: no request has metadata of the name "Featre"; did you mean "Feature"?'],
    [["--where", "Feature=chat"], '--where: no request has the metadata Feature "chat"; did you mean "chat-bot"?'],
    [["--model", "nothing*"], '--model: no request has the model "nothing*"; there are "gpt-5-mini"'],
  ])("%j with a value that no request has is an error that names others", async (filter, message) => {
    for (const command of [["usage"], ["usage", "latency"], ["usage", "errors"], ["usage", "requests"]]) {
      const { code, stdout, stderr } = await run(...command, ...filter, ...PERIOD)
      expect([code, stdout, stderr], command.join(" ")).toEqual([2, "", `error: ${message}\n`])
    }
  })

  test("a program gets an empty report, and a note on stderr", async () => {
    const { code, stdout, stderr } = await run("usage", "--by", "model", "--model", "gpt-5-mni", ...PERIOD, "--json")
    expect([code, stderr]).toEqual([0, 'note: no request has the model "gpt-5-mni"; did you mean "gpt-5-mini"?\n'])
    expect(JSON.parse(stdout)).toMatchObject({ rows: [], empty: { kind: "unknown", field: "model" } })
  })

  test("values that requests have, but none with all of them, are no error", async () => {
    const { code, stdout } = await run("usage", "--key", "Agents", "--model", "gpt-5-mini", ...PERIOD)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^No request matches/)])
  })

  test("Name= selects the requests without a value, and other filters apply too", async () => {
    expect((await json("usage", "--by", "model", "--where", "Feature=", ...PERIOD)).total).toMatchObject({
      requests: 2,
    })
    expect(await json("usage", "requests", "--where", "feature=", "--key", "Search", ...PERIOD)).toHaveLength(2)
  })
})

describe("[U10] keys", () => {
  test("are found by name, by the beginning of their ids, and by their ids", async () => {
    const id = keys["Search"]!
    for (const text of ["Search", id.slice(0, 8), id]) expect(await json("keys", "get", text)).toMatchObject({ id })
    expect(await json("keys", "update", "Agents", "--description", "of agents")).toMatchObject({ name: "Agents" })
    expect(await json("keys", "revoke", keys["Agents"]!.slice(0, 8), "--yes")).toMatchObject({ status: "revoked" })
    expect((await json("usage", "--by", "key", "--key", id.slice(0, 8), ...PERIOD)).total.requests).toBe(3)
  })

  test("with one name are told apart by their ids, and a name with a typing error is explained", async () => {
    const twice = await run("keys", "get", "Twice")
    expect(twice.code).toBe(1)
    expect(twice.stderr).toMatch(
      /^error: "Twice" means 2 API keys: [0-9a-f-]{36} \(Twice\), [0-9a-f-]{36} \(Twice\): give/,
    )
    const missing = await run("keys", "get", "Serch")
    expect(missing.stderr).toBe('error: there is no API key with the id or the name "Serch": did you mean "Search"?\n')
  })

  test("of a name that another key has are created with a note", async () => {
    const { code, stderr } = await run("keys", "create", "--name", "Search")
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^note: another active key has this name/)])
  })
})

describe("[U10] tokens, limits and provider keys are found as keys are", () => {
  test("tokens by name and by the beginning of their ids; a valid one comes before others of its name", async () => {
    const create = async (name: string) =>
      (await json("tokens", "create", "--name", name, "--role", "viewer")) as {
        readonly id: string
        readonly token: string
      }
    const [first, other] = [await create("grafana"), await create("deploy")]
    expect(await json("tokens", "revoke", "grafana", "--yes")).toMatchObject({ id: first.id, status: "revoked" })
    const second = await create("grafana")
    expect(await json("tokens", "revoke", "grafana", "--yes")).toMatchObject({ id: second.id })
    const twice = await run("tokens", "revoke", "grafana", "--yes")
    expect([twice.code, twice.stderr]).toEqual([1, expect.stringContaining('"grafana" means 2 admin tokens')])
    const missing = await run("tokens", "revoke", "deplyo", "--yes")
    expect(missing.stderr).toBe(
      'error: there is no admin token with the id or the name "deplyo": did you mean "deploy"?\n',
    )
    const pasted = await run("tokens", "revoke", other.token, "--yes")
    expect([pasted.code, pasted.stderr.includes(other.token)]).toEqual([1, false])
    expect(await json("tokens", "revoke", other.id.slice(0, 8), "--yes")).toMatchObject({ id: other.id })
  })

  test("limits by name and by the beginning of their ids", async () => {
    const { id } = await json("limits", "create", "team", "--measure", "requests", "--amount", "5", "--window", "day")
    for (const text of ["team", id.slice(0, 8), id]) expect(await json("limits", "get", text)).toMatchObject({ id })
    expect((await run("limits", "delete", id.slice(0, 8), "--yes")).code).toBe(0)
    expect((await run("limits", "get", id.slice(0, 8))).stderr).toContain("there is no limit")
  })
})

test("[U10] a request is found by the beginning of its id; an ambiguous one names two", async () => {
  expect(await json("usage", "request", IDS.tagged)).toMatchObject({ id: IDS.tagged })
  expect(await json("usage", "request", IDS.tagged.slice(0, 25))).toMatchObject({ id: IDS.tagged })
  const ambiguous = await run("usage", "request", IDS.tagged.slice(0, 13))
  expect([ambiguous.code, ambiguous.stderr]).toEqual([1, expect.stringContaining(`${IDS.tagged} and ${IDS.untagged}`)])
})

test("[U9] money is shown to cents, and with all its digits by --exact, --json and --csv", async () => {
  const cost = async (...args: string[]) => (await run("usage", "--by", "model", ...args, ...PERIOD)).stdout
  expect(await cost()).toMatch(/^Total .* \$1\.75$/m)
  expect(await cost("--exact")).toMatch(/^Total .* \$1\.750123456$/m)
  expect(await cost("--json")).toContain('"total_cost": "1.750123456"')
  expect(await cost("--csv")).toContain(",1.750123456,")
})

test("[U9] --exact shows all digits of every command that rounds, and the next command rounds again", async () => {
  await json("limits", "create", "all", "--measure", "cost", "--amount", "5", "--window", "total")
  for (const [command, rounded, exact] of [
    [["usage", "requests", ...PERIOD], /\$0\.00012 /, /\$0\.000123456 /],
    [["limits", "list"], /\$1\.75 /, /\$1\.750123456 /],
    [["limits", "get", "all"], /\$1\.75\b/, /\$1\.750123456\b/],
  ] as const) {
    const [first, all, last] = [await run(...command), await run(...command, "--exact"), await run(...command)]
    expect(all.stdout, command.join(" ")).toMatch(exact)
    for (const { stdout } of [first, last]) {
      expect(stdout, command.join(" ")).toMatch(rounded)
      expect(stdout, command.join(" ")).not.toMatch(exact)
    }
  }
})

test("[U11] the overview shows the features of requests", async () => {
  const { stdout } = await run("usage", ...PERIOD)
  expect(stdout).toMatch(/^Feature {3,}Requests .*\n-+\nchat-bot {2,}1 /m)
  expect(stdout).not.toContain("User-Id")
})
