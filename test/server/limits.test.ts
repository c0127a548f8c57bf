import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { keys } from "../../src/api/routes/keys.ts"
import type { Database } from "../../src/database/_database.ts"
import { deleteLimit, insertLimit, type NewLimit, updateLimit } from "../../src/database/limits.ts"
import { openPostgres } from "../../src/database/open.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { startServer } from "../../src/server/start.ts"
import { aRecord, openTestLedger } from "../database/_ledger.ts"
import { postgresAt } from "../support/databases.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { HANG_MS } from "../support/until.ts"
import { insertRows } from "../support/usage-rows.ts"

type Server = Awaited<ReturnType<typeof startServer>>

const WAIT = { timeout: HANG_MS, interval: 20 }
const dirs: string[] = []
const logged: string[] = []
let provider: FakeProvider
let url: string
let sql: pg.Client
let database: Database
let gateways: Server[]
let key: string

async function settingsOf(dir: string) {
  const { settings } = await loadSettings({
    cwd: dir,
    env: {
      DATABASE_URL: url,
      MAJORDOMO_STORAGE_DATA_DIR: dir,
      MAJORDOMO_SERVER_PORT: "0",
      MAJORDOMO_SERVER_CREATE_FIRST_KEY: "false",
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
    },
  })
  return settings
}

function makeDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), "mdm-limits-"))
  dirs.push(dir)
  return dir
}

async function start(dir = makeDirectory()): Promise<Server> {
  const settings = await settingsOf(dir)
  return startServer({ settings, log: (level, line) => void logged.push(`${level} ${line}`), onRecord: () => {} })
}

beforeAll(async () => {
  provider = await startFakeProvider()
  url = (await createTestDatabase()).url
  sql = new pg.Client({ connectionString: url })
  await sql.connect()
  database = await openPostgres(postgresAt(url, { maxConns: 4 }).postgres)
  gateways = [await start(), await start(), await start()]
  const settings = await settingsOf(makeDirectory())
  const actor = { kind: "command", name: "root", role: "admin", id: null, address: null } as const
  const { signal } = new AbortController()
  const caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  key = (await callLocally(keys.create, caller, { name: "app" })).key
})

afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await database.close()
  await sql.end()
  await provider.close()
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

async function ask({ port }: Server, headers: Record<string, string> = {}, changes: object = {}): Promise<Response> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: "POST",
    headers: {
      Authorization: "Bearer sk-test-0123456789",
      "X-Majordomo-Key": key,
      "Content-Type": "application/json",
      ...headers,
    },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }], ...changes }),
  })
  await response.arrayBuffer()
  return response
}

/** Creates a limit for the requests of one test, and waits until all gateways know it. */
async function createLimit(team: string, limit: Partial<NewLimit>) {
  const given = { name: `limit of ${team}`, measure: "requests", amount: "10", window: "total", where: { Team: team } }
  const created = await insertLimit(database.query, { ...given, ...limit } as NewLimit)
  await vi.waitFor(async () => {
    for (const gateway of gateways) {
      const response = await ask(gateway, { "X-Majordomo-Team": team, "X-Majordomo-Probe": "1" })
      expect(response.headers.get("x-majordomo-limit-remaining")).not.toBeNull()
    }
  }, WAIT)
  return created
}

const keyId = async () => (await sql.query("SELECT id FROM api_keys WHERE name = 'app'")).rows[0].id as string

const sumOfLeases = async (limit: string) =>
  (await sql.query("SELECT coalesce(sum(granted), 0)::int AS sum FROM llm_limit_leases WHERE limit_id = $1", [limit]))
    .rows[0].sum as number

const countAnswered = async (team: string) =>
  (
    await sql.query(
      "SELECT count(*)::int AS n FROM llm_requests WHERE outcome = 'complete' AND raw_metadata ->> 'Team' = $1",
      [team],
    )
  ).rows[0].n as number

describe("limits on three gateways", () => {
  test("admit together exactly what fits, however many requests come at once", async () => {
    const limit = await createLimit("exact", { amount: "40" })
    const asks = Array.from({ length: 90 }, (_, i) => ask(gateways[i % 3]!, { "X-Majordomo-Team": "exact" }))
    const statuses = (await Promise.all(asks)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    // The rest is idle in leases, or just being counted.
    await vi.waitFor(async () => {
      for (const gateway of gateways) await ask(gateway, { "X-Majordomo-Team": "exact" })
      expect(await countAnswered("exact")).toBe(40)
    }, WAIT)
    const rejected = await ask(gateways[0]!, { "X-Majordomo-Team": "exact" })
    expect(rejected.status).toBe(429)
    expect(await countAnswered("exact")).toBe(40)
    await vi.waitFor(async () => expect(await sumOfLeases(limit.id)).toBe(0), WAIT)
  })

  test("hear of a change, and of the end of a limit", async () => {
    const limit = await createLimit("changed", { amount: "1000" })
    await updateLimit(database.query, limit.id, { amount: "1" })
    await vi.waitFor(async () => {
      for (const gateway of gateways) expect((await ask(gateway, { "X-Majordomo-Team": "changed" })).status).toBe(429)
    }, WAIT)
    await deleteLimit(database.query, limit.id)
    await vi.waitFor(async () => {
      for (const gateway of gateways) expect((await ask(gateway, { "X-Majordomo-Team": "changed" })).status).toBe(200)
    }, WAIT)
  })

  test("announce each percentage of a limit once, whichever of them sees it first", async () => {
    const limit = await createLimit("told", { amount: "1000", notifyAt: [1, 90] })
    for (let i = 0; i < 30; i++) await ask(gateways[i % 3]!, { "X-Majordomo-Team": "told" })
    const told = () => logged.filter((line) => line.includes("limit of told"))
    await vi.waitFor(async () => expect(told()).toHaveLength(1), WAIT)
    await vi.waitFor(async () => expect(await sumOfLeases(limit.id)).toBe(0), WAIT)
    expect(told()).toEqual([expect.stringContaining('"limit of told" has used 1 % of its amount')])
  })

  test("return their leases when they stop, and free those of a process that was killed in their slot", async () => {
    const limit = await createLimit("freed", { amount: "1000" })
    const dir = makeDirectory()
    const first = await start(dir)
    await ask(first, { "X-Majordomo-Team": "freed" })
    await first.stop()
    const slot = `${hostname()}:${join(dir, "journal", "1")}`
    const countOf = async () =>
      (await sql.query("SELECT count(*)::int AS n FROM llm_limit_leases WHERE slot = $1", [slot])).rows[0].n
    expect(await countOf()).toBe(0)
    await sql.query(
      `INSERT INTO llm_limit_leases VALUES ($1, '', 'epoch', gen_random_uuid(), $2, 5, 5, now() + interval '10 minutes')`,
      [limit.id, slot],
    )
    const second = await start(dir)
    await vi.waitFor(async () => expect(await countOf()).toBe(0), WAIT)
    await second.stop()
  })

  test("free the leases of an abandoned slot when its rows are written", async () => {
    const limit = await createLimit("abandoned", { amount: "1000" })
    const dir = makeDirectory()
    const slot = join(dir, "journal", "2")
    mkdirSync(slot, { recursive: true })
    const left = await openTestLedger(database, slot, { timing: { lingerMs: 600_000 } })
    const row = aRecord({ raw_metadata: { Team: "abandoned" } })
    left.append(row)
    await left.close()
    await sql.query(
      `INSERT INTO llm_limit_leases VALUES ($1, '', 'epoch', gen_random_uuid(), $2, 5, 5, now() + interval '10 minutes')`,
      [limit.id, `${hostname()}:${slot}`],
    )
    const gateway = await start(dir)
    await vi.waitFor(async () => {
      const { rows } = await sql.query("SELECT 1 FROM llm_limit_leases WHERE slot LIKE '%' || $1", [slot])
      expect(rows).toEqual([])
    }, WAIT)
    // Until then, the lease has covered the row.
    expect((await sql.query("SELECT 1 FROM llm_requests WHERE id = $1", [row.id])).rowCount).toBe(1)
    await gateway.stop()
  })

  test("expect of an answer what earlier answers to the key and the model had, from the first request on", async () => {
    await createLimit("expecting", { measure: "output_tokens", amount: "1000000", per: "User-Id" })
    await insertRows(sql, Array(40).fill({ key: await keyId(), model: "gpt-4o", output: 5000 }))
    const gateway = await start()
    let users = 0
    await vi.waitFor(async () => {
      // No one else has used or reserved something of the amount of this user.
      const headers = { "X-Majordomo-Team": "expecting", "X-Majordomo-User-Id": `user ${users++}` }
      // The head of a stream comes while the whole estimate is reserved.
      const response = await ask(gateway, headers, { model: "gpt-4o", stream: true })
      const reserved = 1_000_000 - Number(response.headers.get("x-majordomo-limit-remaining")?.split("=")[1])
      expect(reserved).toBeGreaterThanOrEqual(5000)
      expect(reserved).toBeLessThan(6000)
    }, WAIT)
    await gateway.stop()
  })
})
