import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, onTestFinished, test } from "vitest"
import type { Settings } from "../../src/config/settings.ts"
import type { Database } from "../../src/database/_database.ts"
import type { LedgerStats } from "../../src/database/ledger/ledger.ts"
import { openDatabase } from "../../src/database/open.ts"
import { migrate } from "../../src/database/schema.ts"
import { checkDatabase } from "../../src/operations/doctor/database.ts"
import { createProbe } from "../../src/server/probe.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { findPostgresBinaries } from "../support/_postgres-binaries.ts"
import { describeDatabases, postgresAt } from "../support/databases.ts"
import { createTestDatabase, startPostgres } from "../support/postgres.ts"
import { mountSmallDisk } from "../support/small-disk.ts"

const disk = mountSmallDisk(24)
afterAll(() => disk?.remove())

const WRITING: LedgerStats = {
  accepted: 3,
  written: 1,
  waiting: 2,
  rejected: 0,
  dropped: 0,
  journalBytes: 0,
  batches: 1,
  lastWrittenAt: undefined,
  lastError: undefined,
  stalledSince: undefined,
}

async function load(overrides: Record<string, unknown> = {}): Promise<Settings> {
  const dir = mkdtempSync(join(tmpdir(), "mdm-ready-"))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return (await loadSettings({ cwd: dir, env: {}, overrides: { "storage.data_dir": dir, ...overrides } })).settings
}

interface Changes {
  readonly settings?: Record<string, unknown>
  readonly stats?: Partial<LedgerStats>
  readonly pricesCheckedAt?: number
}

async function check(database: Database, { settings, stats, pricesCheckedAt }: Changes = {}) {
  const probe = createProbe({
    settings: await load(settings),
    database,
    stats: () => ({ ...WRITING, ...stats }),
    pricesCheckedAt: () => pricesCheckedAt,
    isStopping: () => false,
  })
  return probe.check()
}

const secondsAgo = (seconds: number) => Date.now() - seconds * 1000

describeDatabases("readiness", (open) => {
  test("a healthy gateway is ready, without warnings", async () => {
    expect(await check(await open())).toEqual({ error: undefined, warnings: [] })
  })

  test("triggers that do not run are a warning, and a problem for doctor", async () => {
    const db = await open()
    await db.query("ALTER TABLE llm_requests DISABLE TRIGGER ALL")
    const { error, warnings } = await check(db)
    expect(error).toBeUndefined()
    expect(warnings).toEqual([
      { code: "triggers_disabled", message: expect.stringMatching(/majordomo_.*verify --repair/) },
    ])
    await db.query("ALTER TABLE llm_requests ENABLE TRIGGER ALL")
    expect((await check(db)).warnings).toEqual([])
  })

  test("[L10] a schema that was changed by hand is a warning: triggers, their functions, unique keys, constraints", async () => {
    const db = await open()
    for (const [change, alteration] of [
      ["DROP TRIGGER majordomo_added ON llm_requests", "trigger majordomo_added of llm_requests is missing"],
      [
        "CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "function majordomo_count_changed was changed",
      ],
      ["ALTER TABLE llm_requests DROP CONSTRAINT llm_requests_pkey", "unique key of llm_requests (id) is missing"],
      [
        "ALTER TABLE llm_requests DROP CONSTRAINT llm_requests_cost_is_number",
        "constraint llm_requests_cost_is_number of llm_requests is missing",
      ],
    ] as const) {
      await db.query(change)
      const { error, warnings } = await check(db)
      expect(error).toBeUndefined()
      expect(warnings).toEqual([{ code: "schema_altered", message: expect.stringContaining(alteration) }])
    }
  })
})

describe("readiness (PostgreSQL)", () => {
  async function open(url: string): Promise<Database> {
    const db = await openDatabase(postgresAt(url), { role: "serve", log: () => {} })
    onTestFinished(() => db.close())
    return db
  }
  const examine = async (url: string) => {
    const settings = await load({ "storage.postgres.url": url })
    const findings = await checkDatabase({ settings, log: () => {} })
    return findings.filter(({ status }) => status === "problem")
  }

  test("an error of the database is shown by its code, because its message can name hosts and users", async () => {
    const db = await open((await createTestDatabase()).url)
    const message = 'password authentication failed for user "prod"'
    const cases = { "28P01": message, ENOTFOUND: "getaddrinfo ENOTFOUND db.internal.example" }
    for (const [code, text] of Object.entries(cases)) {
      const stats = { stalledSince: secondsAgo(20), lastError: `${code}: ${text}` }
      const { error, warnings } = await check(db, { stats, settings: { "server.not_ready_after": "10s" } })
      expect(error).toBe(`no row could be written for 20 s (${code}); 2 rows wait`)
      expect(warnings[0]?.message).toBe(`no row could be written for 20 s (${code}); 2 wait, see the log`)
    }
  })

  test("rows that cannot be written are a warning after 3 s, and an error after the time that is set", async () => {
    const db = await open((await createTestDatabase()).url)
    const stalled = { stalledSince: secondsAgo(20), lastError: "another transaction holds a lock" }
    expect((await check(db, { stats: { stalledSince: secondsAgo(1) } })).warnings).toEqual([])
    expect(await check(db, { stats: stalled })).toEqual({
      error: undefined,
      warnings: [
        {
          code: "rows_stalled",
          // A busy machine may take some seconds to get here.
          message: expect.stringMatching(
            /^no row could be written for \d\d s \(another transaction holds a lock\); 2 wait, see the log$/,
          ),
        },
      ],
    })
    const strict = await check(db, { stats: stalled, settings: { "server.not_ready_after": "10s" } })
    expect(strict.error).toMatch(
      /^no row could be written for \d\d s \(another transaction holds a lock\); 2 rows wait$/,
    )
  })

  test("a full journal is an error only if requests are rejected because of it", async () => {
    const db = await open((await createTestDatabase()).url)
    const full = { stats: { journalBytes: 2 ** 30 } }
    expect(await check(db, full)).toMatchObject({ error: undefined, warnings: [{ code: "journal_full" }] })
    const blocking = await check(db, { ...full, settings: { "ledger.when_full": "block" } })
    expect(blocking.error).toMatch(/^the journal is full, and requests are rejected/)
  })

  test("a price list that could not be fetched for a week is a warning", async () => {
    const db = await open((await createTestDatabase()).url)
    expect((await check(db, { pricesCheckedAt: secondsAgo(6 * 86_400) })).warnings).toEqual([])
    const { error, warnings } = await check(db, { pricesCheckedAt: secondsAgo(8 * 86_400) })
    expect(error).toBeUndefined()
    expect(warnings).toMatchObject([{ code: "prices_old" }])
  })

  test.skipIf(disk === undefined)("a disk with little room is a warning", async () => {
    const db = await open((await createTestDatabase()).url)
    const { error, warnings } = await check(db, { settings: { "storage.data_dir": disk!.dir } })
    expect(error).toBeUndefined()
    expect(warnings).toEqual([
      { code: "disk_low", message: expect.stringMatching(/^the disk of storage\.data_dir has only \d+ MiB free$/) },
    ])
  })

  test("a database that is read-only by default is an error that says where that was set", async () => {
    const { url, name } = await createTestDatabase()
    const setting = "default_transaction_read_only"
    await (await open(url)).query(`ALTER DATABASE ${name} SET ${setting} = on`)
    expect((await check(await open(url))).error).toBe(
      `the database (postgres) does not accept rows: it accepts no writes, because ${setting} is on (set by: database); 2 rows wait`,
    )
    expect(await examine(url)).toMatchObject([{ fix: expect.stringContaining(`RESET ${setting}`) }])
  })

  test("a database that rejects the gateway's user is an error that says so, and names no user", async () => {
    const { url, name } = await createTestDatabase()
    const admin = await open(url)
    const role = `r_${name}`
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT USAGE ON SCHEMA public TO ${role}`)
    const asRole = new URL(url)
    asRole.username = role
    asRole.password = "p"
    const db = await open(asRole.href)
    expect((await check(db)).error).toBeUndefined()
    await admin.query(`ALTER ROLE ${role} NOLOGIN`)
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`)
    await expect
      .poll(async () => (await check(db)).error)
      .toBe("the database (postgres) rejects the gateway's user or password; 2 rows wait")
  })

  test("triggers that a role does not run are a problem for doctor", async () => {
    const { url, name } = await createTestDatabase()
    await (await open(url)).query(`ALTER DATABASE ${name} SET session_replication_role = replica`)
    expect(await examine(url)).toMatchObject([{ message: expect.stringContaining("do not run") }])
  })

  test("[L10] a schema that was changed by hand is a problem for doctor", async () => {
    const { url } = await createTestDatabase()
    await (await open(url)).query("DROP TRIGGER majordomo_changed ON llm_requests")
    expect(await examine(url)).toMatchObject([
      {
        message: expect.stringContaining("trigger majordomo_changed of llm_requests is missing"),
        fix: expect.stringContaining("schema.sql"),
      },
    ])
  })

  test.skipIf(!canCopy())("a standby is not ready until it is promoted, and doctor says so", async () => {
    const primary = await startPostgres({
      hostRules: ["host all all all scram-sha-256", "host replication all all trust"],
    })
    onTestFinished(primary.remove)
    await migrate(await open(primary.url))
    const standby = await startPostgres({ standbyOf: primary.url })
    onTestFinished(standby.remove)
    const db = await open(standby.url)
    expect((await check(db)).error).toMatch(
      /does not accept rows: it is a standby, which accepts no writes; 2 rows wait/,
    )
    expect(await examine(standby.url)).toMatchObject([{ message: "it is a standby, which accepts no writes" }])
    await db.query("SELECT pg_promote()")
    await expect.poll(async () => (await check(db)).error).toBeUndefined()
  })
})

/** The npm binaries lack the program that creates a standby. */
function canCopy(): boolean {
  const scratch = mkdtempSync(join(tmpdir(), "mdm-bin-"))
  try {
    return existsSync(join(findPostgresBinaries(scratch).bin, "pg_basebackup"))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
