import { cpSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, it, vi } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { type LedgerHandle, openLedger } from "../../src/database/ledger/ledger.ts"
import { parseTotals } from "../../src/database/ledger/totals.ts"
import { readCounters } from "../../src/kit/log/counter-file.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"
import { databaseOn, isDead, type Machine, newMachine } from "./_machine.ts"

/** The machine of the running process. */
const current = vi.hoisted(() => ({ machine: { steps: 0, dieAt: Number.POSITIVE_INFINITY } as Machine }))
vi.mock("node:fs", async (original) => {
  const { onMachine } = await import("./_machine.ts")
  return onMachine(() => current.machine, await original())
})
vi.mock("node:fs/promises", async (original) => {
  const { promisesOnMachine } = await import("./_machine.ts")
  return promisesOnMachine(() => current.machine, await original())
})

const TIMING = { lingerMs: 600_000, gapIntervalMs: 600_000, probeIntervalMs: 5, minBackoffMs: 1, maxBackoffMs: 2 }
const LIMIT_MS = 300_000
/** Small, so that the reserve, which the journal would use first, is small too. */
const MAX_JOURNAL_BYTES = 96 << 10

/** The steps that a process has completed when it is killed. */
interface Life {
  /** Requests whose rows were accepted. */
  readonly accepted: Set<string>
  /** Requests without a row: those that are running, and the one that was about to be accepted. */
  readonly begun: Set<string>
}

/** The process is dead, so its scenario ends. */
class Killed extends Error {}

/** A process with a ledger, which dies before a step. */
class Process {
  readonly life: Life = { accepted: new Set(), begun: new Set() }
  readonly machine: Machine
  readonly dir: string
  private readonly ledger: LedgerHandle
  private readonly death: Promise<never>

  constructor(
    ledger: LedgerHandle,
    { machine, dir, death }: Pick<Process, "machine" | "dir"> & { death: Promise<never> },
  ) {
    this.ledger = ledger
    this.machine = machine
    this.dir = dir
    this.death = death
  }

  begin(record: LogRecord = aRecord()): LogRecord {
    this.ledger.recordIntent(record)
    this.ledger.stats() // flushes
    this.live()
    this.life.begun.add(record.id)
    return record
  }

  end(record: LogRecord = aRecord()): void {
    this.ledger.append(record)
    this.ledger.stats()
    if (isDead(this.machine)) this.life.begun.add(record.id)
    this.live()
    this.life.begun.delete(record.id)
    this.life.accepted.add(record.id)
  }

  async drain(): Promise<void> {
    await this.settles(this.ledger.drain(180_000))
  }

  /** Waits until the disk has taken what was in memory. */
  async untilMoved(): Promise<void> {
    const isMoved = () => isDead(this.machine) || parseTotals(readCounters(this.dir)).memory === 0
    await expect.poll(isMoved, { interval: 1 }).toBe(true)
    this.live()
  }

  async close(): Promise<void> {
    await this.settles(this.ledger.close())
  }

  private async settles(work: Promise<unknown>): Promise<void> {
    // First the death: when both have been rejected by now, the work failed because of it.
    await Promise.race([this.death, work])
    this.live()
  }

  private live(): void {
    if (isDead(this.machine)) throw new Killed()
  }
}

type Play = (running: Process) => Promise<void>

interface Killing {
  readonly life: Life
  /** The directory as the process left it. */
  readonly left: string
}

/** Plays a scenario until the process is killed before step `dieAt`. Returns undefined when it ended before that. */
async function playUntil(db: Database, dieAt: number, play: Play): Promise<Killing | undefined> {
  const root = await makeDirectory()
  const dir = join(root, "running")
  const left = join(root, "left")
  mkdirSync(dir)
  const machine = { ...newMachine(), dieAt }
  const death = new Promise<never>((_, reject) => {
    machine.onDeath = () => {
      try {
        copyAsLeft(dir, left)
        reject(new Killed())
      } catch (error) {
        reject(error)
      }
    }
  })
  death.catch(() => {})
  current.machine = machine
  let running: Process | undefined
  try {
    const opening = openLedger({
      db: databaseOn(machine, db),
      dir,
      settings: { journal: true, syncIntervalMs: 100, maxJournalBytes: MAX_JOURNAL_BYTES, whenFull: "drop" },
      now: Date.now,
      log: () => {},
      timing: TIMING,
      lock: async () => ({ isHeld: () => !isDead(machine), release: async () => {} }),
    })
    running = new Process(await Promise.race([opening, death]), { machine, dir, death })
    await play(running)
    return undefined
  } catch (error) {
    if (!(error instanceof Killed)) throw error
    return { life: running?.life ?? { accepted: new Set(), begun: new Set() }, left }
  } finally {
    current.machine = newMachine()
  }
}

/** Copies a directory in which a file may be on its way out: an unlink or rename that began before the kill. */
function copyAsLeft(dir: string, left: string): void {
  for (;;) {
    try {
      cpSync(dir, left, { recursive: true })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
      rmSync(left, { recursive: true, force: true })
    }
  }
}

const ROWS = "SELECT id, coalesce((usage ->> 'dropped')::int, 0) AS dropped FROM llm_requests"

/** Kills the process of a scenario before each of its steps. After each, the next process has to account for all rows. */
async function killAtEachStep(play: Play): Promise<number> {
  const db = await connect((await createTestDatabase()).url)
  for (let step = 1; ; step++) {
    await db.query("DELETE FROM llm_requests")
    const killing = await playUntil(db, step, play)
    if (killing === undefined) return step - 1
    const { life, left } = killing
    const next = await openTestLedger(db, left, { timing: { lingerMs: 600_000 } })
    expect((await next.drain(180_000)).drained, `step ${step}`).toBe(true)
    await next.close()
    const { rows } = await db.query<{ id: string; dropped: number }>(ROWS)
    const ids = new Set(rows.map(({ id }) => id))
    const missing = [...life.accepted].filter((id) => !ids.has(id)).length
    const open = [...life.begun].filter((id) => !ids.has(id)).length
    const counted = rows.reduce((sum, { dropped }) => sum + dropped, 0)
    const { accepted, written, rejected, dropped } = parseTotals(readCounters(left))
    const found = { step, counted, written, sum: written + rejected + dropped }
    expect(found).toEqual({
      step,
      counted: expect.toBeOneOf(range(missing, missing + open)),
      written: rows.length,
      sum: accepted,
    })
    expect(dropped).toBe(counted)
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

const repeat = (times: number, work: () => void) => {
  for (let i = 0; i < times; i++) work()
}

it(
  "rows that are written from memory are counted exactly once, whenever the process is killed",
  async () => {
    const steps = await killAtEachStep(async (running) => {
      repeat(2, () => running.end())
      await running.drain()
      const guarded = running.begin()
      running.machine.isFull = true
      repeat(3, () => running.end())
      running.end(guarded)
      await running.drain()
      repeat(2, () => running.end())
      running.begin()
      await running.drain()
      running.machine.isFull = false
      await running.close()
    })
    expect(steps).toBeGreaterThan(30)
  },
  LIMIT_MS,
)

it(
  "rows that return from memory to the disk are counted exactly once, whenever the process is killed",
  async () => {
    const steps = await killAtEachStep(async (running) => {
      const guarded = running.begin()
      running.machine.isFull = true
      running.machine.isDatabaseAway = true
      repeat(3, () => running.end())
      running.end(guarded)
      repeat(2, () => running.end())
      running.machine.isFull = false
      await running.untilMoved()
      repeat(2, () => running.end())
      running.machine.isDatabaseAway = false
      await running.drain()
      await running.close()
    })
    expect(steps).toBeGreaterThan(30)
  },
  LIMIT_MS,
)

it(
  "rows that no place has room for, and the gap that counts them, are counted exactly once, whenever the process is killed",
  async () => {
    const large = { request_body: "x".repeat(30_000) }
    const steps = await killAtEachStep(async (running) => {
      running.machine.isFull = true
      running.machine.isDatabaseAway = true
      repeat(6, () => running.end(aRecord(large)))
      running.machine.isDatabaseAway = false
      await running.drain()
      repeat(5, () => running.end(aRecord(large)))
      await running.close()
    })
    expect(steps).toBeGreaterThan(30)
  },
  LIMIT_MS,
)
