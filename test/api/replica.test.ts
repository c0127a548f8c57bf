import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { type AnyRoute, listPathParameters } from "../../src/api/_route.ts"
import { callLocally, type LocalCaller } from "../../src/api/call.ts"
import { ROUTES } from "../../src/api/routes/index.ts"
import { metadata } from "../../src/api/routes/metadata.ts"
import { status } from "../../src/api/routes/status.ts"
import { usage } from "../../src/api/routes/usage.ts"
import type { Actor } from "../../src/core/actor.ts"
import type { Database } from "../../src/database/_database.ts"
import { migrate } from "../../src/database/schema.ts"
import { checkDatabase } from "../../src/operations/doctor/database.ts"
import { openConfiguredReplica, type Replica } from "../../src/operations/open/replica.ts"
import { openApi } from "../../src/server/api.ts"
import { createApp } from "../../src/server/app.ts"
import { createProbe } from "../../src/server/probe.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { canReplicate, openUntilClosed, startPrimary, startStandby, untilReplayed } from "../database/_replica.ts"
import type { PostgresServer } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

const ACTOR: Actor = { kind: "token", name: "test", role: "admin", id: null, address: null }
const PATIENCE = { timeout: 15_000, interval: 50 }

describe.skipIf(!canReplicate())("the admin API with a replica", () => {
  let primary: PostgresServer
  let standby: PostgresServer
  let ours: Database
  let theirs: Database
  let replica: Replica
  let server: Server
  let url: string
  let caller: LocalCaller
  const lines: string[] = []
  const notes: string[] = []
  const closers: (() => unknown)[] = []

  beforeAll(async () => {
    primary = await startPrimary()
    ours = await openUntilClosed(primary.url)
    await migrate(ours)
    const client = new pg.Client({ connectionString: primary.url })
    await client.connect()
    const row = { key: await insertKey(client, "Search"), input: 100, output: 20, cost: "0.25" }
    await insertRows(client, [
      { ...row, metadata: { "Trace-Id": "7f3a", Team: "search" } },
      { ...row, code: 500, metadata: { "Trace-Id": "7f3a", Team: "ads" } },
    ])
    await client.end()
    standby = await startStandby(primary)
    theirs = await openUntilClosed(standby.url)
    const env = { DATABASE_URL: primary.url, MAJORDOMO_STORAGE_POSTGRES_READ_URL: standby.url }
    const { settings } = await loadSettings({ cwd: tmpdir(), env: { ...env, MAJORDOMO_PRICING_REMOTE_URL: "" } })
    const log = (level: string, line: string) => void lines.push(`${level} ${line}`)
    replica = openConfiguredReplica({ settings, database: ours, log })!
    const authenticate = async () => ({ actor: ACTOR })
    const prices = { findRates: () => undefined } as never
    const api = openApi({ settings, log, prices, replica, authenticate })
    const policy = { host: "127.0.0.1", allowedHosts: [], corsOrigins: [], metricsToken: undefined }
    const probe = { metrics: async () => "", check: async () => ({ error: undefined, warnings: [] }), api: api.handle }
    server = createServer(createApp(undefined as never, probe, policy))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`
    closers.push(
      () => new Promise((resolve) => server.close(resolve)),
      api.close,
      replica.close,
      theirs.close,
      ours.close,
    )
    const { signal } = new AbortController()
    const log2 = (line: string) => void notes.push(line)
    caller = { settings, log: log2, onProgress: () => {}, signal, now: Date.now, actor: ACTOR }
  })
  afterAll(async () => {
    for (const close of closers) await close()
    await standby?.remove()
    await primary?.remove()
  })

  async function count(database: Database, what: string): Promise<number> {
    const { rows } = await database.query<{ n: number }>(
      `SELECT (${what})::int AS n FROM pg_stat_database WHERE datname = current_database()`,
    )
    return rows[0]!.n
  }

  const reading = (ROUTES as readonly AnyRoute[]).filter(({ readsReplica }) => readsReplica)
  const INPUTS: Readonly<Record<string, string>> = { trace_id: "7f3a", id: "7f3a", run_id: "7f3a" }

  test.each(reading.map((route) => [route.name, route] as const))(
    "%s is answered by a standby, which accepts no writes, as by the primary",
    async (_, route) => {
      await untilReplayed(ours, theirs)
      const names = listPathParameters(route.path)
      const path = names.reduce((left, name) => left.replace(`{${name}}`, INPUTS[name] ?? "Team"), route.path as string)
      const query = route.name === "usage.what_if" ? "?as=gpt-5-mini" : ""
      const ask = async () => {
        const body = route.method === "GET" ? {} : { body: "{}", headers: { "Content-Type": "application/json" } }
        const response = await fetch(`${url}${path}${query}`, { method: route.method, ...body })
        return {
          status: response.status,
          text: (await response.text()).replaceAll(/"(?:now|until|generated_at)":"[^"]*"/g, ""),
        }
      }
      const fromReplica = await ask()
      await theirs.query("SELECT pg_wal_replay_pause()")
      await ours.query(
        "INSERT INTO llm_audit (id, actor_kind, actor_name, action) VALUES (gen_random_uuid(), 'command', 'x', 'x')",
      )
      const fromPrimary = await ask()
      await theirs.query("SELECT pg_wal_replay_resume()")
      if (route.name !== "audit.list") expect(fromReplica).toEqual(fromPrimary)
      expect(fromReplica.status).toBeLessThan(500)
      expect(lines).toEqual([]) // it says so when a statement had to be repeated
    },
  )

  test("reports leave the primary alone", async () => {
    await untilReplayed(ours, theirs)
    const before = await count(theirs, "xact_commit + xact_rollback")
    for (let i = 0; i < 20; i++) expect((await fetch(`${url}/usage?by=model`)).status).toBe(200)
    await expect.poll(() => count(theirs, "xact_commit + xact_rollback"), PATIENCE).toBeGreaterThan(before)
    expect(lines).toEqual([])
  })

  test("a change is in the next list, whatever the lag, and also if a command made it", async () => {
    await untilReplayed(ours, theirs)
    await theirs.query("SELECT pg_wal_replay_pause()")
    onTestFinished(() => resumeReplay(theirs))
    const isActive = async () => {
      const names = (await (await fetch(`${url}/metadata`)).json()) as { name: string; active: string }[]
      return names.find(({ name }) => name === "Team")?.active
    }
    expect(await isActive()).toBe("none")
    const changed = await fetch(`${url}/metadata/Team/activate`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    })
    expect(changed.status).toBe(200)
    expect(await isActive()).toBe("all")
    await callLocally(metadata.deactivate, caller, { name: "Team" })
    expect(await isActive()).toBe("none")
  })

  test("status and doctor say how far it is behind, and commands read from it", async () => {
    await untilReplayed(ours, theirs)
    expect(await callLocally(status.get, caller, {})).toMatchObject({ replica: { is_used: true, lag_ms: 0 } })
    const findings = await checkDatabase({ settings: caller.settings, log: () => {} })
    expect(findings.find(({ message }) => message.includes("replica"))).toEqual({
      check: "database",
      status: "ok",
      message: "reports are read from the replica, which is 0.00 s behind",
    })
    const before = await count(theirs, "sessions")
    const { rows } = await callLocally(usage.report, caller, { by: "model" })
    expect(rows).toHaveLength(1)
    await expect.poll(() => count(theirs, "sessions"), PATIENCE).toBeGreaterThan(before)
    expect(notes.join()).not.toContain("replica")
  })

  test("one that is away is a warning of /readyz, a problem of status and a warning of doctor, without its address", async () => {
    await standby.kill()
    const report = await callLocally(usage.report, caller, { by: "model" })
    expect(report.rows).toHaveLength(1)
    expect(notes).toEqual([
      "note: the replica (storage.postgres.read_url) does not answer: reports are read from the primary until this changes",
    ])
    const found = await callLocally(status.get, caller, {})
    expect(found.replica).toEqual({ is_used: false, lag_ms: null })
    expect(found.problems).toContain(
      "the replica does not answer, so reports are read from the primary: majordomo-gateway doctor",
    )
    await replica.check()
    const stats = { accepted: 0, written: 0, waiting: 0, rejected: 0, dropped: 0, journalBytes: 0, batches: 0 }
    const { error, warnings } = await createProbe({
      settings: caller.settings,
      database: ours,
      stats: () => ({ ...stats, lastWrittenAt: undefined, lastError: undefined, stalledSince: undefined }),
      pricesCheckedAt: () => undefined,
      replica: replica.state,
      isStopping: () => false,
    }).check()
    const message = "the replica (storage.postgres.read_url) does not answer: reports are read from the primary"
    expect({ error, warnings }).toEqual({ error: undefined, warnings: [{ code: "replica_unused", message }] })
    const findings = await checkDatabase({ settings: caller.settings, log: () => {} })
    expect(findings.find(({ message }) => message.includes("replica"))).toMatchObject({ status: "warning" })
    const said = JSON.stringify([found, findings, notes, lines, warnings])
    for (const secret of ["test-password", String(standby.port)]) expect(said).not.toContain(secret)
  })
})

/** The server can cancel the very statement that lets it go on, because what it then replays conflicts with that statement. */
async function resumeReplay(standby: Database): Promise<void> {
  await standby.query("SELECT pg_wal_replay_resume()").catch((error: Error) => {
    if (!error.message.includes("conflict with recovery")) throw error
  })
}
