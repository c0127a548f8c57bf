import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openLedger } from "../../src/database/ledger/ledger.ts"
import { startRecovery } from "../../src/database/ledger/recovery.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

const SETTINGS = { journal: true, syncIntervalMs: 100, maxJournalBytes: 1 << 30, whenFull: "drop" } as const

function recover(db: Database, root: string) {
  const recovery = startRecovery({ db, root, settings: SETTINGS, now: Date.now, log: () => {} })
  onTestFinished(() => recovery.close())
  return recovery
}

test("a recovered journal that is closed counts with its rows, and no longer with its bytes", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const left = await openTestLedger(db, join(root, "1"), { timing: { lingerMs: 600_000 } })
  for (let i = 0; i < 3; i++) left.append(aRecord())
  await left.close()
  const recovery = recover(db, root)
  await expect.poll(() => recovery.stats()).toMatchObject({ accepted: 3, written: 3, waiting: 0, journalBytes: 0 })
})

test("an abandoned journal with a damaged intent is recovered: its rows are written, and no file of it stays", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const dir = join(root, "1")
  const left = await openTestLedger(db, dir, { timing: { lingerMs: 600_000 } })
  left.append(aRecord())
  left.recordIntent(aRecord({ request_path: "/v1/damaged" }))
  left.append(aRecord())
  await left.close()
  const file = join(dir, "000000000001.jsonl")
  const text = readFileSync(file, "utf8")
  expect(text).toContain("/v1/damaged")
  writeFileSync(file, text.replace("/v1/damaged", "/v1/d\0maged"))
  const recovery = recover(db, root)
  await expect.poll(() => recovery.stats()).toMatchObject({ accepted: 3, written: 2, rejected: 1, waiting: 0 })
  await expect.poll(() => readdirSync(dir).sort()).toEqual(["counters.json", "damaged.jsonl", "id", "lock"])
})

test("a journal that cannot be opened is left as it was: without a new segment, and unlocked", async () => {
  const db = await connect((await createTestDatabase()).url)
  const dir = await makeDirectory()
  const left = await openTestLedger(db, dir, { timing: { lingerMs: 600_000 } })
  for (let i = 0; i < 3; i++) left.append(aRecord())
  await left.close()
  const before = readdirSync(dir)
  const log = () => {
    throw new Error("this attempt fails")
  }
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(openLedger({ db, dir, settings: SETTINGS, now: Date.now, log })).rejects.toThrow("this attempt fails")
    expect(readdirSync(dir)).toEqual(before)
    if (process.platform === "linux") expect(openFilesIn(dir)).toEqual([])
  }
  const next = await openTestLedger(db, dir)
  expect(await next.drain(180_000)).toEqual({ drained: true, waiting: 0 })
  expect(next.stats()).toMatchObject({ accepted: 3, written: 3 })
})

function openFilesIn(dir: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(dir) ? [path] : []
    } catch {
      return [] // the descriptor of this listing
    }
  })
}
