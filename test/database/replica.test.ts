import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { GATEWAY_ACTOR } from "../../src/core/actor.ts"
import type { Database } from "../../src/database/_database.ts"
import { recordChange } from "../../src/database/access/audit.ts"
import { migrate } from "../../src/database/schema.ts"
import { readSchemaScript } from "../../src/database/schema-script.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import {
  canReplicate,
  isStandby,
  open,
  openUntilClosed,
  startPrimary,
  startStandby,
  untilReplayed,
  watch,
} from "./_replica.ts"

const PATIENCE = { timeout: 15_000, interval: 50 }
const { version } = readSchemaScript()

describe.skipIf(!canReplicate())("a streaming standby", () => {
  let primary: PostgresServer
  let standby: PostgresServer

  beforeAll(async () => {
    primary = await startPrimary()
    const database = await openUntilClosed(primary.url)
    await migrate(database)
    await database.query("CREATE TABLE notes (id int)")
    await database.close()
    standby = await startStandby(primary)
  })
  afterAll(async () => {
    await standby?.remove()
    await primary?.remove()
  })

  async function openBoth() {
    const ours = await open(primary.url)
    const theirs = await open(standby.url)
    onTestFinished(async () => void (await theirs.query("SELECT pg_wal_replay_resume()").catch(() => {})))
    await untilReplayed(ours, theirs)
    return { ours, theirs }
  }
  const write = (database: Database) => database.query("INSERT INTO notes VALUES (1)")

  test("reports are read from it, and a primary that writes nothing does not make it look behind", async () => {
    const { ours, theirs } = await openBoth()
    await write(ours)
    await untilReplayed(ours, theirs)
    const replica = watch(ours, standby.url)
    const { rows } = await theirs.query<{ age: number }>(
      "SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS age",
    )
    expect(rows[0]!.age).toBeGreaterThan(0)
    await expect.poll(() => replica.check(), PATIENCE).toEqual({ isUsed: true, lagMs: 0, problem: undefined })
    expect(await isStandby(await replica.choose(ours))).toBe(true)
    expect(await (await replica.choose(ours)).transaction(async (run) => (await run("SELECT 1")).rowCount)).toBe(1)
    expect(replica.lines).toEqual([])
  })

  test("one whose replay is paused is behind by the age of what it lacks, and is used again when it has caught up", async () => {
    const { ours, theirs } = await openBoth()
    const replica = watch(ours, standby.url, 250)
    expect(await isStandby(await replica.choose(ours))).toBe(true)
    await theirs.query("SELECT pg_wal_replay_pause()")
    await write(ours)
    await expect.poll(async () => (await replica.check()).isUsed, PATIENCE).toBe(false)
    const { lagMs, problem } = replica.state()
    expect(lagMs).toBeGreaterThan(250)
    expect(problem).toMatch(/^is \d+\.\d\d s behind \(storage\.postgres\.read_max_lag\)$/)
    expect(await isStandby(await replica.choose(ours))).toBe(false)
    await replica.check()
    await theirs.query("SELECT pg_wal_replay_resume()")
    await expect.poll(async () => (await replica.check()).isUsed, PATIENCE).toBe(true)
    expect(replica.lines).toEqual([
      expect.stringMatching(
        /^warn the replica \(storage\.postgres\.read_url\) is [\d.]+ s behind .*until this changes$/,
      ),
      expect.stringMatching(/^info the replica .* can be used again after \d+ s: reports are read from it$/),
    ])
  })

  test("whoever changes something sees it in the next list, also when another process made the change", async () => {
    const { ours, theirs } = await openBoth()
    const here = watch(ours, standby.url)
    const elsewhere = watch(ours, standby.url)
    expect(await isStandby(await here.choose(ours))).toBe(true)
    await theirs.query("SELECT pg_wal_replay_pause()")
    await ours.transaction((run) => recordChange(run, GATEWAY_ACTOR, { action: "keys.create", target: "1" }))
    for (const replica of [here, elsewhere]) {
      expect(await isStandby(await replica.choose(ours))).toBe(false)
      expect(replica.state().isUsed).toBe(true) // other reports could be read from it
    }
    await theirs.query("SELECT pg_wal_replay_resume()")
    await untilReplayed(ours, theirs)
    expect(await isStandby(await here.choose(ours))).toBe(true)

    // A change of several transactions goes on after its entry in the audit log.
    await theirs.query("SELECT pg_wal_replay_pause()")
    await write(ours)
    here.noteChange()
    expect(await isStandby(await here.choose(ours))).toBe(false)
    expect(await isStandby(await here.choose(ours))).toBe(false)
    await theirs.query("SELECT pg_wal_replay_resume()")
    await untilReplayed(ours, theirs)
    expect(await isStandby(await here.choose(ours))).toBe(true)
    expect(here.lines).toEqual([])
  })

  test("one with an older schema is not read until it has the migration", async () => {
    const { ours, theirs } = await openBoth()
    const replica = watch(ours, standby.url)
    await theirs.query("SELECT pg_wal_replay_pause()")
    const newer = {
      text: "INSERT INTO majordomo_migrations (version, name, breaking) VALUES ($1, 'newer', false)",
      values: [version + 1],
    }
    await ours.query(newer)
    expect(await isStandby(await replica.choose(ours))).toBe(false)
    expect(replica.state().problem).toBe(
      `has the schema of version ${version}, and the primary that of version ${version + 1}`,
    )
    await theirs.query("SELECT pg_wal_replay_resume()")
    await untilReplayed(ours, theirs)
    expect(await isStandby(await replica.choose(ours))).toBe(true)
    await ours.query({ text: "DELETE FROM majordomo_migrations WHERE version = $1", values: [version + 1] })
  })

  test("a report that it cancels because of its replay is repeated on the primary, and the log says so once", async () => {
    const { ours, theirs } = await openBoth()
    await write(ours)
    await untilReplayed(ours, theirs)
    const replica = watch(ours, standby.url)
    for (const _ of [1, 2]) {
      const reader = await replica.choose(ours)
      let attempts = 0
      const where = await reader.transaction(async (run) => {
        attempts++
        await run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await run("SELECT count(*) FROM notes")
        if (attempts === 1) {
          await ours.query("DELETE FROM notes")
          await ours.query("INSERT INTO notes VALUES (1)")
          await Promise.all([run("SELECT pg_sleep(600)"), ours.query("VACUUM notes")])
        }
        return (await run<{ is: boolean }>("SELECT pg_is_in_recovery() AS is")).rows[0]!.is
      })
      expect({ attempts, where }).toEqual({ attempts: 2, where: false })
      expect(await isStandby(reader)).toBe(false) // it does not go back to what may be older
    }
    expect(replica.lines).toEqual([expect.stringMatching(/^warn .* failed a report \(40001\).*hot_standby_feedback/)])
  })

  test("one that is frozen or killed keeps nobody waiting: running reports go to the primary, and it comes back by itself", async () => {
    const { ours } = await openBoth()
    const replica = watch(ours, standby.url, 3_600_000, 100)
    await expect.poll(() => replica.state().isUsed, PATIENCE).toBe(true)
    const reader = await replica.choose(ours)
    await standby.freeze()
    // The statement itself would be waited for much longer.
    expect((await reader.query({ text: "SELECT pg_is_in_recovery() AS is", timeoutMs: 600_000 })).rows).toEqual([
      { is: false },
    ])
    expect(await isStandby(await replica.choose(ours))).toBe(false)
    await standby.thaw()
    await expect.poll(() => replica.state().isUsed, PATIENCE).toBe(true)
    await standby.kill()
    await expect.poll(() => replica.state().problem, PATIENCE).toBe("does not answer")
    expect(await isStandby(await replica.choose(ours))).toBe(false)
    await standby.start()
    await expect.poll(() => replica.state().isUsed, PATIENCE).toBe(true)
    const changes = replica.lines.filter((line) => !line.includes("failed a report"))
    expect(changes.map((line) => line.split(" ", 1)[0])).toEqual(["warn", "info", "warn", "info"])
    expect(replica.lines.join()).not.toContain("test-password")
  })

  test("a server of another database is not read: another cluster, another database, the primary itself", async () => {
    const { ours } = await openBoth()
    const other = await startPostgres()
    await ours.query("CREATE DATABASE another")
    const at = (url: string, name: string) => Object.assign(new URL(url), { pathname: `/${name}` }).href
    try {
      for (const [url, problem] of [
        [other.url, "is a server of another database"],
        [at(primary.url, "another"), "is a server of another database"],
        [primary.url, "is no standby: it was promoted, or it is the primary itself"],
        [at(standby.url, "missing"), "does not exist"],
      ] as const) {
        const replica = watch(ours, url)
        expect(await isStandby(await replica.choose(ours))).toBe(false)
        expect(replica.state()).toEqual({ isUsed: false, lagMs: undefined, problem })
      }
    } finally {
      await other.remove()
    }
  })

  test("a role without privileges beyond the gateway's tables can compare both", async () => {
    const { ours, theirs } = await openBoth()
    await ours.query("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    await ours.query("GRANT SELECT ON majordomo_migrations, llm_audit TO plain")
    await untilReplayed(ours, theirs)
    const as = (url: string) => Object.assign(new URL(url), { username: "plain", password: "plain" }).href
    const replica = watch(await open(as(primary.url)), as(standby.url))
    expect(await replica.check()).toEqual({ isUsed: true, lagMs: 0, problem: undefined })
  })

  test("one that was promoted is not read, and neither is a standby of it", async () => {
    const { ours, theirs } = await openBoth()
    const replica = watch(ours, standby.url)
    expect(await isStandby(await replica.choose(ours))).toBe(true)
    await theirs.query("SELECT pg_promote()")
    expect((await replica.check()).problem).toMatch(/^is no standby: it was promoted/)
    const [choice] = await Promise.all([replica.choose(ours)])
    expect(choice).toBe(ours)
    expect(replica.lines).toHaveLength(1)

    await theirs.query("CHECKPOINT")
    const second = await startStandby(standby)
    try {
      const fork = watch(ours, second.url)
      await expect
        .poll(async () => (await fork.check()).problem, PATIENCE)
        .toBe("follows another primary than this database")
    } finally {
      await second.remove()
    }
  })
})
