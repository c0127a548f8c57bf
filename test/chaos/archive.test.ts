import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { expect, it, onTestFinished } from "vitest"
import { askDuckDb } from "../archive/_duckdb.ts"
import { createInstallation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { createRandom, insertRandomUsage } from "../support/random-usage.ts"
import { spawnInstalled } from "./_archive.ts"
import { report, times } from "./_mode.ts"

const KILLS = times(6, 40)
const DAYS = { since: "2026-10-01T00:30:00Z", until: "2026-10-04T23:30:00Z", keys: [] }

/** What has happened in a folder when a run is killed. */
const MOMENTS = [
  (folder: string) => countFiles(join(folder, ".drafts")) > 0,
  (folder: string, before: number) => countFiles(folder) > before,
] as const

function countFiles(folder: string): number {
  if (!existsSync(folder)) return 0
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile() && entry.name.endsWith(".parquet")).length
}

it(`an archive that is killed ${KILLS} times with SIGKILL while late rows arrive and costs change has each row once`, async () => {
  const { url } = await createTestDatabase()
  const folder = mkdtempSync(join(tmpdir(), "mdm-archive-"))
  const home = createInstallation({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "", MAJORDOMO_ARCHIVE_TO: folder })
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(async () => {
    await client.end()
    await home.remove()
    rmSync(folder, { recursive: true, force: true })
  })
  const random = createRandom(17)
  await insertRandomUsage(client, { ...DAYS, rows: 8000, seed: 1 })
  let killed = 0
  for (let round = 1; round <= KILLS; round++) {
    const run = spawnInstalled(["archive"], await home.environment())
    const before = countFiles(folder)
    const moment = MOMENTS[round % MOMENTS.length]!
    let ticks = Math.floor(random() * 30)
    while (!run.hasEnded() && !(moment(folder, before) && ticks-- <= 0))
      await new Promise((resolve) => setTimeout(resolve, 2))
    if (run.kill()) killed++
    await run.ended
    // A minute passes, in which rows arrive and are priced again.
    await client.query("UPDATE majordomo_archive_lease SET until = now() - interval '1 s'")
    await insertRandomUsage(client, { ...DAYS, rows: 100, seed: 100 + round })
    await client.query(
      "UPDATE llm_requests SET total_cost = total_cost + 0.000000000001 WHERE id IN (SELECT id FROM llm_requests LIMIT 50)",
    )
  }
  for (let left = 3; left > 0; left--) await home.runJson(["archive"])
  const verified = await home.runJson(["archive", "verify"])
  const { rows } = await client.query("SELECT id::text AS id, total_cost::text AS cost FROM llm_requests ORDER BY id")
  const found = await askDuckDb(
    `SELECT id, total_cost::varchar AS cost FROM read_parquet('${folder}/requests/*/*.parquet') ORDER BY id`,
  )
  report("archive", { kills: killed, rows: rows.length, files: countFiles(folder), "rows in files": found.length })
  expect(verified).toMatchObject({ balanced: true, rows: rows.length, unfinished: [], differences: [] })
  expect(found).toEqual(rows)
  expect(killed).toBeGreaterThan(0)
}, 590_000)
