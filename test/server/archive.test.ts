import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import type { Settings } from "../../src/config/settings.ts"
import type { Database } from "../../src/database/_database.ts"
import { archiveInThread } from "../../src/operations/archive/thread.ts"
import { connectToDatabase } from "../../src/operations/open/database.ts"
import { startDailyArchive } from "../../src/server/archive.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { listFiles, makeFolder } from "../archive/_archive.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertRandomUsage } from "../support/random-usage.ts"
import { until } from "../support/until.ts"

/** The thread has the clock of the machine. */
const dayAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
const DAYS = [dayAgo(3), dayAgo(2)]

const WORKER = new URL("../../dist/archive/worker.mjs", import.meta.url)

let home: TestDatabase
let database: Database
beforeAll(async () => {
  home = await createTestDatabase()
  database = await connectToDatabase(await load({}))
  const client = { query: (text: string, values: unknown[]) => database.query({ text, values }) }
  const time = { since: `${DAYS[0]}T01:00:00Z`, until: `${DAYS[1]}T23:00:00Z` }
  await insertRandomUsage(client, { ...time, rows: 300, keys: [], seed: 3 })
})
afterAll(async () => {
  await database?.close()
  await home?.drop()
})

async function load(env: Readonly<Record<string, string>>): Promise<Settings> {
  return (await loadSettings({ cwd: tmpdir(), env: { DATABASE_URL: home.url, ...env } })).settings
}

function start(settings: Settings, run: typeof archiveInThread) {
  const lines: string[] = []
  const log = (level: string, line: string) => void lines.push(`${level}: ${line}`)
  const daily = startDailyArchive({ settings, database, now: Date.now, log, tickMs: 5, run })
  onTestFinished(() => daily.close())
  return lines
}

const isRequired = async () =>
  (await database.query<{ archive_required: boolean }>("SELECT archive_required FROM majordomo_schema")).rows[0]!
    .archive_required

test("archive.before_prune without archive.to keeps all requests, and the log says so", async () => {
  const lines = start(await load({ MAJORDOMO_ARCHIVE_BEFORE_PRUNE: "true" }), archiveInThread)
  await expect.poll(isRequired).toBe(true)
  expect(lines.join()).toMatch(/archive.before_prune keeps all requests, because archive.to does not say where/)
})

test.skipIf(!existsSync(WORKER))(
  "a gateway writes finished days by itself, in a thread, as soon as there are some",
  async () => {
    const to = makeFolder()
    const settings = await load({ MAJORDOMO_ARCHIVE_TO: to })
    const lines = start(settings, (own, more) => archiveInThread(own, { ...more, workerUrl: WORKER }))
    await until(() =>
      expect(lines.join("\n")).toMatch(/info: archive: wrote \d+ rows to .*; \d+ of \d+ days are verified/),
    )
    expect(listFiles(to)).toEqual(DAYS.map((day) => `requests/date=${day}/part-00000.parquet`))
    expect(await isRequired()).toBe(false)
    expect(lines.filter((line) => line.startsWith("warn"))).toEqual([])
  },
)
