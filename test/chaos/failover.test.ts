import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest"
import { findPostgresBinaries } from "../support/_postgres-binaries.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { ask } from "./_ask.ts"
import { firstKey, lastNumbers, metric, readRows, toAccount, untilDrained } from "./_books.ts"
import { startLoad, tagsSeen } from "./_load.ts"
import { report, times } from "./_mode.ts"
import { startWire, type Wire } from "./_wire.ts"

/** Rows that the old primary commits in this time never reach the new one. */
const BEHIND_MS = 200
const READ_ONLY_MS = times(1500, 20_000)
const TRUSTING = ["host all all all scram-sha-256", "host replication all all trust"]

let fakeProvider: FakeProvider
let primary: PostgresServer
let replica: PostgresServer
let wire: Wire
let replication: Wire
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  primary = await startPostgres({ hostRules: TRUSTING, settings: { synchronous_commit: "on" } })
  wire = await startWire(primary.port)
  replication = await startWire(primary.port)
})
afterAll(async () => {
  await Promise.all([wire.close(), replication.close(), fakeProvider.close()])
  await replica?.remove()
  await primary.remove()
})

const count = async (server: PostgresServer) =>
  (await ask<{ count: number }>(server.url, "SELECT count(*)::int AS count FROM llm_requests"))[0]!.count

/** The npm binaries lack the program that creates a standby. */
function canCopy(): boolean {
  const scratch = mkdtempSync(join(tmpdir(), "mdm-bin-"))
  try {
    return existsSync(join(findPostgresBinaries(scratch).bin, "pg_basebackup"))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

it.skipIf(!canCopy())(
  "[PGF-10] a failover to a lagging hot standby that is read-only at first and then promoted: no request fails; a row is missing only if the old primary alone had committed it",
  async () => {
    const home = createInstallation({
      MAJORDOMO_STORAGE_POSTGRES_URL: primary.url.replace(`:${primary.port}/`, `:${wire.port}/`),
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
    onTestFinished(() => home.remove())
    const gateway = await home.serve({ args: ["--quiet"] })
    replica = await startPostgres({
      hostRules: TRUSTING,
      settings: { synchronous_commit: "on" },
      standbyOf: `host=127.0.0.1 port=${replication.port} user=postgres`,
    })
    const load = startLoad({ key: firstKey(gateway), clients: 16, prefix: "failover", perSecond: 200 })
    load.aim(gateway.port)
    await expect.poll(() => count(replica)).toBeGreaterThan(100)

    replication.cut()
    await new Promise((resolve) => setTimeout(resolve, BEHIND_MS))
    const behindFrom = await count(primary)
    await expect.poll(() => count(primary)).toBeGreaterThan(behindFrom) // more rows that will be missing
    wire.leadTo(replica.port)
    // If the batch of that moment lost its connection, the first line says so, and the next one comes after 30 s.
    await expect.poll(() => gateway.stderr).toMatch(/(does not take|has not taken) rows.*25006/)
    await new Promise((resolve) => setTimeout(resolve, READ_ONLY_MS)) // it stays read-only for this long
    const waited = await metric(gateway, "majordomo_rows_waiting")
    expect(waited).toBeGreaterThan(0)
    await ask(replica.url, "SELECT pg_promote()")
    const drainedMs = await untilDrained(gateway)

    const sent = await load.stop()
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    const before = await readRows(primary.url)
    const after = await readRows(replica.url)
    const inNew = toAccount(after, [...sent.answered, ...tagsSeen(fakeProvider)])
    const inOld = new Set(before.map(({ tag }) => tag))
    report("failover", {
      requests: sent.requests,
      failed: sent.failed.length,
      "rows on the new one": inNew.rows,
      "on the old one alone": inNew.lost.length,
      twice: inNew.duplicates.length,
      waited,
      "drained after ms": Math.round(drainedMs),
      "p99 ms": sent.p99Ms.toFixed(1),
    })
    expect(sent.failed).toEqual([])
    expect(inNew.duplicates).toEqual([])
    // The database loses what asynchronous replication loses: the gateway had an acknowledgment for these rows.
    expect(inNew.lost.length).toBeGreaterThan(0)
    expect(inNew.lost.filter((tag) => !inOld.has(tag))).toEqual([])
    expect(lastNumbers(stderr)).toMatchObject({ written: sent.requests, waiting: 0, rejected: 0, dropped: 0 })
  },
)
