import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { keys } from "../../src/api/routes/keys.ts"
import { limits } from "../../src/api/routes/limits.ts"
import { parseLimit } from "../../src/config/limits.ts"
import { syncConfiguredLimits } from "../../src/operations/limits/sync.ts"
import { insertRows } from "../support/usage-rows.ts"
import { type AdminApi, startAdminApi } from "./_api.ts"

let admin: AdminApi
let search: { readonly id: string; readonly key: string }
let other: { readonly id: string; readonly key: string }
let root: string
beforeAll(async () => {
  admin = await startAdminApi()
  search = await callLocally(keys.create, admin.caller, { name: "Search", default_metadata: { Team: "search" } })
  other = await callLocally(keys.create, admin.caller, { name: "Other" })
  root = (await admin.createToken("admin")).token
  const client = new pg.Client({ connectionString: admin.caller.settings.storage.postgres.url })
  await client.connect()
  const team = (name: string, user: string) => ({ Team: name, "User-Id": user })
  await insertRows(client, [
    { key: search.id, cost: "12.31", input: 100, output: 20, metadata: team("search", "ada") },
    { key: search.id, cost: "1.5", input: 10, output: 2, metadata: team("search", "bob") },
    { key: other.id, cost: "40", model: "gpt-5", metadata: team("ads", "ada") },
  ])
  await client.end()
})
afterAll(() => admin.close())

const create = (input: object) => callLocally(limits.create, admin.caller, input as never)
const send = async (method: string, path: string, body?: object) => {
  const response = await fetch(`${admin.url}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${root}`, ...(body && { "Content-Type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as never }
}
const BUDGET = { name: "search", measure: "cost", amount: 50, window: "month", tz: "Europe/Berlin" }

describe("limits", () => {
  test("say what they allow, and count what their window has used before they were created", async () => {
    const created = await create({ ...BUDGET, where: { team: "search" }, notify_at: [100, 50] })
    expect(created).toMatchObject({
      name: "search",
      amount: "50",
      where: { Team: "search" },
      notify_at: [50, 100],
      source: "database",
      summary: "Requests with Team=search may cost 50 USD per month (Europe/Berlin).",
      value: null,
      used: "13.81",
      reserved: "0",
      remaining: "36.19",
    })
    expect(Date.parse(created.resets_at!)).toBeGreaterThan(Date.now())
  })

  test("are found by name and by id, and a name that is nearly right is suggested", async () => {
    const byName = await callLocally(limits.get, admin.caller, { id: "search" })
    expect(await callLocally(limits.get, admin.caller, { id: byName.id })).toEqual(byName)
    expect(await send("GET", "/limits/serch")).toMatchObject({
      status: 404,
      body: { detail: 'there is no limit "serch": did you mean "search"?' },
    })
  })

  test("with per have one amount for each value, which is listed by use and found by name", async () => {
    await create({ name: "users", measure: "cost", amount: 20, window: "total", per: "user" })
    await create({ name: "keys", measure: "tokens", amount: 1000, window: "total", per: "key" })
    const users = await callLocally(limits.values, admin.caller, { id: "users" })
    expect(users.map(({ value, used, remaining }) => [value, used, remaining])).toEqual([
      ["ada", "52.31", "0"],
      ["bob", "1.5", "18.5"],
    ])
    const own = await callLocally(limits.values, admin.caller, { id: "keys", value: "Search" })
    expect(own).toMatchObject([{ value: search.id, value_name: "Search", used: "132" }])
    const listed = await callLocally(limits.list, admin.caller, {})
    expect(listed.map(({ name, value_name }) => [name, value_name])).toEqual([
      ["keys", "Search"],
      ["search", null],
      ["users", "ada"],
    ])
  })

  test("change field by field, and count again what then applies", async () => {
    const changed = await send("PATCH", "/limits/search", { amount: "60.5", where: {}, key: "Other" })
    expect(changed.body).toMatchObject({
      amount: "60.5",
      where: {},
      key: other.id,
      key_name: "Other",
      used: "40",
      summary: "Requests of the key Other may cost 60.5 USD per month (Europe/Berlin).",
    })
    const back = await send("PATCH", "/limits/search", { key: null, where: { Team: "search" } })
    expect(back.body).toMatchObject({ key: null, used: "13.81", amount: "60.5" })
  })

  test("are only checked by a dry run", async () => {
    const dry = await create({
      name: "dry",
      measure: "requests",
      amount: 5,
      window: "minute",
      action: "warn",
      dry_run: true,
    })
    expect(dry.summary).toBe("All requests are limited to 5 per minute. More is reported and not rejected.")
    await callLocally(limits.update, admin.caller, { id: "search", amount: 1, dry_run: true })
    const listed = await callLocally(limits.list, admin.caller, {})
    expect(listed.map(({ name, amount }) => [name, amount])).toEqual([
      ["keys", "1000"],
      ["search", "60.5"],
      ["users", "20"],
    ])
  })

  test.each([
    ["POST", "/limits", { ...BUDGET, measure: "costs" }, 400, /^expected one of cost, .*; did you mean cost\?$/],
    [
      "POST",
      "/limits",
      { ...BUDGET, name: "x", key: "Serch" },
      400,
      'there is no API key "Serch"; did you mean "Search"?',
    ],
    ["POST", "/limits", { ...BUDGET, name: "x", provider: "opnai" }, 400, /did you mean openai\?$/],
    ["POST", "/limits", BUDGET, 409, 'there is already a limit called "search": choose another name'],
    ["PATCH", "/limits/search", { name: "users" }, 409, 'there is already a limit called "users": choose another name'],
    ["PATCH", "/limits/search", {}, 400, /^nothing to change/],
    ["PATCH", "/limits/search", { amount: "much" }, 400, /^expected a plain decimal/],
    ["DELETE", "/limits/none", undefined, 404, /^there is no limit "none"/],
    ["POST", "/limits/check", { key: "Nobody" }, 400, /^there is no API key "Nobody"/],
  ])("%s %s %j is rejected with what to do", async (method, path, body, status, detail) => {
    const answer = await send(method, path, body)
    expect(answer).toMatchObject({ status, body: { detail: expect.stringMatching(detail) } })
  })

  test("that apply to a request are found with the metadata of its key, the tightest first", async () => {
    const names = async (input: object) =>
      (await callLocally(limits.check, admin.caller, input)).map(({ name, value_name, used }) => [
        name,
        value_name,
        used,
      ])
    expect(await names({ key: "Search", model: "gpt-5", where: { "User-Id": "bob" } })).toEqual([
      ["search", null, "13.81"],
      ["keys", "Search", "132"],
      ["users", "bob", "1.5"],
    ])
    expect(await names({ key: "Other", where: { Team: "ads", "User-Id": "new" } })).toEqual([
      ["keys", "Other", "0"],
      ["users", "new", "0"],
    ])
  })

  test("of a key are what its holder sees: not what other people have used", async () => {
    await create({ name: "own", measure: "concurrency", amount: 2, key: search.id })
    const me = await fetch(`${admin.url}/api/v1/me/limits`, { headers: { "X-Majordomo-Key": other.key } })
    expect(((await me.json()) as { name: string; used: string }[]).map(({ name, used }) => [name, used])).toEqual([
      ["keys", "0"],
      ["search", "13.81"],
    ])
    const mine = await fetch(`${admin.url}/api/v1/me/limits`, { headers: { "X-Majordomo-Key": search.key } })
    expect(((await mine.json()) as { name: string }[]).map(({ name }) => name)).toEqual(["keys", "own", "search"])
    expect((await admin.ask("/me/limits")).status).toBe(401)
    expect((await callLocally(limits.delete, admin.caller, { id: "own" })).name).toBe("own")
  })

  test("may be read by viewers, and changed by admins only", async () => {
    const { token } = await admin.createToken("viewer")
    const statuses = async (method: string, path: string) => (await admin.ask(path, token, method)).status
    expect(await statuses("GET", "/limits")).toBe(200)
    expect(await statuses("GET", "/limits/users/values")).toBe(200)
    expect(await statuses("POST", "/limits/check")).toBe(200)
    expect([await statuses("POST", "/limits"), await statuses("DELETE", "/limits/users")]).toEqual([403, 403])
  })

  test("that change have a row in the audit log, with what they were before and after", async () => {
    const { rows } = await admin.database.query(
      "SELECT action, before ->> 'name' AS before, after ->> 'name' AS after FROM llm_audit WHERE action LIKE 'limits.%' ORDER BY at, id",
    )
    expect(rows.map(({ action, before, after }) => [action, before, after])).toEqual([
      ["limits.create", null, "search"],
      ["limits.create", null, "users"],
      ["limits.create", null, "keys"],
      ["limits.update", "search", "search"],
      ["limits.update", "search", "search"],
      ["limits.create", null, "own"],
      ["limits.delete", "own", null],
    ])
  })
})

describe("limits of the configuration", () => {
  const warnings: string[] = []
  const sync = async (configured: readonly object[] | undefined) => {
    warnings.length = 0
    const limits = configured?.map((each) => parseLimit({ ...each }))
    const { providers } = admin.caller.settings
    await syncConfiguredLimits(admin.database, { limits, providers }, (line) => void warnings.push(line))
    return (await callLocally(limitsList, admin.caller, {})).map(({ name, amount, source }) => [name, amount, source])
  }
  const limitsList = limits.list
  const RATE = { name: "rate", measure: "requests", amount: 60, window: "minute", key: "Other" }

  test("are created, changed and removed by their names, and take over a limit of the same name", async () => {
    expect(await sync([RATE, { ...BUDGET, amount: 70 }])).toEqual([
      ["keys", "1000", "database"],
      ["rate", "60", "config"],
      ["search", "70", "config"],
      ["users", "20", "database"],
    ])
    expect(await sync([{ ...RATE, amount: 30 }])).toEqual([
      ["keys", "1000", "database"],
      ["rate", "30", "config"],
      ["users", "20", "database"],
    ])
    expect(warnings).toEqual([])
  })

  test("can be changed only there", async () => {
    const reason = 'the limit "rate" stands in the configuration of the gateway: change it there (limits), and restart'
    for (const [method, body] of [["PATCH", { amount: 5 }], ["DELETE"]] as const) {
      expect(await send(method, "/limits/rate", body)).toMatchObject({ status: 409, body: { detail: reason } })
    }
  })

  test("stay when a gateway without the setting starts, which says so", async () => {
    expect(await sync(undefined)).toContainEqual(["rate", "30", "config"])
    expect(warnings).toEqual([
      expect.stringMatching(/^limits: .*\("rate"\).* they stay\. To remove them, set limits: \[\]$/),
    ])
  })

  test("of a key whose name has changed stay for this key, and a warning names it", async () => {
    await callLocally(keys.update, admin.caller, { id: other.id, name: "Renamed" })
    expect(await sync([{ ...RATE, amount: 10 }])).toContainEqual(["rate", "30", "config"])
    expect(warnings).toEqual([
      expect.stringMatching(/no API key "Other".* The limit .* stays for the key "Renamed"\. Correct it, and restart$/),
    ])
    expect(await sync([{ ...RATE, amount: 10, key: "Renamed" }])).toContainEqual(["rate", "10", "config"])
    await callLocally(keys.update, admin.caller, { id: other.id, name: "Other" })
    expect(await sync([{ ...RATE, amount: 30 }])).toContainEqual(["rate", "30", "config"])
  })

  test("of a key that does not exist are not applied, and a warning says why", async () => {
    expect(await sync([{ ...RATE, key: "Nobody" }])).toContainEqual(["rate", "30", "config"])
    expect(warnings).toEqual([
      expect.stringMatching(/^limits: "rate" is not applied: key: there is no API key "Nobody"/),
    ])
    expect(await sync([])).toEqual([
      ["keys", "1000", "database"],
      ["users", "20", "database"],
    ])
  })
})
