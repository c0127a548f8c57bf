import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { keys } from "../../src/api/routes/keys.ts"
import { limits } from "../../src/api/routes/limits.ts"
import { describeExpiring } from "../../src/operations/keys/expiring.ts"
import { withDatabase } from "../../src/operations/open/database.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { startServer } from "../../src/server/start.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"

const HOUR_MS = 3_600_000

const dirs: string[] = []
let provider: FakeProvider
let postgres: PostgresServer
let gateways: Awaited<ReturnType<typeof startServer>>[]
let caller: Parameters<typeof callLocally>[1]

async function loadFor(dir: string) {
  dirs.push(dir)
  const env = {
    DATABASE_URL: postgres.url,
    MAJORDOMO_STORAGE_DATA_DIR: dir,
    MAJORDOMO_SERVER_PORT: "0",
    MAJORDOMO_SERVER_CREATE_FIRST_KEY: "false",
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
  }
  return (await loadSettings({ cwd: dir, env })).settings
}

beforeAll(async () => {
  provider = await startFakeProvider()
  postgres = await startPostgres()
  gateways = []
  for (const name of ["one", "two"]) {
    const settings = await loadFor(mkdtempSync(join(tmpdir(), `mdm-policy-${name}-`)))
    const actor = { kind: "command", name: "root", role: "admin", id: null, address: null } as const
    caller = {
      settings,
      log: () => {},
      onProgress: () => {},
      signal: new AbortController().signal,
      now: Date.now,
      actor,
    }
    gateways.push(await startServer({ settings, log: () => {}, onRecord: () => {} }))
  }
})
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await provider.close()
  await postgres.remove()
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

/** Sends a chat to one of the gateways, and returns the status and the answer. */
async function chat(key: string, at = 0): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`http://127.0.0.1:${gateways[at]!.port}/v1/chat/completions`, {
    method: "POST",
    headers: { "x-majordomo-key": key, authorization: "Bearer sk-test", "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-5", messages: [{ role: "user", content: "hello" }] }),
  })
  return { status: answer.status, text: await answer.text() }
}

describe("a rotation with a grace period", () => {
  test("rejects no request of clients that change their secret later, on any gateway", async () => {
    const { id, key } = await callLocally(keys.create, caller, { name: "Loaded" })
    // Four clients get each new secret at once, and four only when the next one exists.
    const secrets = { quick: key, slow: key }
    const statuses: number[] = []
    let isDone = false
    const clients = [..."qqqqssss"].map(async (pace, index) => {
      while (!isDone) statuses.push((await chat(pace === "q" ? secrets.quick : secrets.slow, index % 2)).status)
    })
    const servedAfter = async (count: number) => expect.poll(() => statuses.length).toBeGreaterThan(count)
    for (let round = 0; round < 5; round++) {
      await servedAfter(statuses.length + 16)
      const rotated = await callLocally(keys.rotate, caller, { id, grace: "24h" })
      expect(rotated).toMatchObject({ id, gateways: { silent: [] } })
      // The slow clients still use the secret before the new one, which the grace period covers.
      secrets.slow = secrets.quick
      secrets.quick = rotated.key
      await servedAfter(statuses.length + 16)
      // Now they change to the new one, before the next rotation ends theirs.
      secrets.slow = rotated.key
      await servedAfter(statuses.length + 16)
    }
    isDone = true
    await Promise.all(clients)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect((await chat(key)).status).toBe(401)
  })

  test("ends on time, also while the database is away; the new secret goes on working", async () => {
    const { id, key } = await callLocally(keys.create, caller, { name: "Away" })
    const rotated = await callLocally(keys.rotate, caller, { id, grace: "1h" })
    const both = [key, rotated.key]
    for (const secret of both) expect((await chat(secret)).status).toBe(200)
    await postgres.stop()
    for (const secret of both) expect((await chat(secret)).status).toBe(200)
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(rotated.previous_secret_until!) + 1 })
    try {
      const old = await chat(key)
      expect(old.status).toBe(401)
      expect(JSON.parse(old.text).error).toMatchObject({ code: "expired_gateway_key" })
      expect(old.text).toContain("was replaced by a new one")
      expect((await chat(rotated.key)).status).toBe(200)
    } finally {
      vi.useRealTimers()
      await postgres.start()
    }
    await expect.poll(async () => (await chat(rotated.key)).status).toBe(200)
  })
})

describe("the limits of a key", () => {
  test("are created, changed and removed with it, under the name of the key", async () => {
    const input = { name: "Limited", budget: "50/month", rpm: "60", concurrency: "5" }
    const { id, key, limits } = await callLocally(keys.create, caller, input)
    expect(limits).toEqual([
      { name: "Limited budget", measure: "cost", amount: "50", window: "month" },
      { name: "Limited concurrency", measure: "concurrency", amount: "5", window: "total" },
      { name: "Limited rpm", measure: "requests", amount: "60", window: "minute" },
    ])
    const namesake = await callLocally(keys.create, caller, { name: "Limited", budget: "1/day" })
    expect(namesake.limits).toMatchObject([{ name: `Limited (${namesake.id.slice(0, 8)}) budget`, amount: "1" }])
    const changes = { id, budget: "9.5/day", rpm: "none", tpm: "100000", concurrency: "none" }
    const changed = await callLocally(keys.update, caller, changes)
    expect(changed.limits).toEqual([
      { name: "Limited budget", measure: "cost", amount: "9.5", window: "day" },
      { name: "Limited tpm", measure: "tokens", amount: "100000", window: "minute" },
    ])
    expect((await callLocally(keys.update, caller, { id: namesake.id, budget: "none" })).limits).toEqual([])
    expect(await callLocally(keys.get, caller, { id })).toMatchObject({ limits: changed.limits })
    // A key that nobody saw leaves no limit behind.
    await callLocally(keys.discard, caller, { id, key })
    expect((await callLocally(keys.create, caller, input)).limits.map(({ name }) => name)).toContain("Limited budget")
  })

  test("follow the key when its name changes, and keep what they have used", async () => {
    const { id } = await callLocally(keys.create, caller, { name: "Before", budget: "50/month", rpm: "60" })
    await callLocally(keys.create, caller, { name: "Taken", budget: "1/day" })
    await callLocally(limits.create, caller, {
      name: "own",
      measure: "requests",
      amount: 5,
      window: "day",
      key: "Before",
    })
    const listOfKey = async () => (await callLocally(limits.list, caller, {})).filter(({ key }) => key === id)
    const before = await listOfKey()
    const renamed = await callLocally(keys.update, caller, { id, name: "Taken" })
    const names = renamed.limits.map(({ name }) => name)
    expect(names.toSorted()).toEqual([`Taken (${id.slice(0, 8)}) budget`, "Taken rpm", "own"])
    const after = await listOfKey()
    expect(after.map((limit) => limit.id).toSorted()).toEqual(before.map((limit) => limit.id).toSorted())
    expect(after.map(({ key_name }) => key_name)).toEqual(["Taken", "Taken", "Taken"])
    const { limits: changed } = await callLocally(keys.update, caller, { id, budget: "9/day" })
    expect(changed.find(({ name }) => name.endsWith("budget"))).toMatchObject({ amount: "9", window: "day" })
    expect(await listOfKey()).toHaveLength(3)
  })

  test.each([
    [{ expires: "soon" }, "expires: expected an age such as 90d"],
    [{ expires: "2026-02-30" }, "expires: expected an age"],
    [{ expires: "2020-01-01" }, 'expires: "2020-01-01" is in the past'],
    [{ models: ["*gpt"] }, "models: expected names of models"],
    [{ providers: ["a b"] }, "providers: expected names of providers"],
    [{ budget: "50" }, "budget: expected USD per minute"],
    [{ tpm: "0" }, "tpm: expected a whole number such as 60, or none"],
  ])("rejects %j with a reason", async (given, message) => {
    const create = async () => callLocally(keys.create, caller, { name: "Wrong", ...given })
    await expect(create()).rejects.toThrow(message)
  })
})

test("keys that expire within 14 days are named by status and doctor, and others are not", async () => {
  for (const [name, expires] of [
    ["Soon", "3d"],
    ["Later", "90d"],
  ] as const) {
    await callLocally(keys.create, caller, { name, expires })
  }
  const day = new Date(Date.now() + 72 * HOUR_MS).toISOString().slice(0, 10)
  const describeAt = (now: number) => withDatabase(caller, ({ database }) => describeExpiring(database, now))
  expect(await describeAt(Date.now())).toBe(`1 API key expires within 14 days (Soon on ${day})`)
  expect(await describeAt(Date.now() + 4 * 24 * HOUR_MS)).toBeUndefined()
})
