import { afterAll, beforeAll, expect, test, vi } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { WRITER_TIMING, Writer } from "../../src/database/ledger/writer.ts"
import { makeDirectory, openTestLedger } from "../database/_ledger.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"

let far: FakeProvider
beforeAll(async () => {
  far = await startFakeProvider({ record: false })
})
afterAll(() => far.close())

function databaseWith(query: () => Promise<unknown>): Database {
  return {
    kind: "postgres",
    title: "a database of the test",
    query: query as Database["query"],
    transaction: () => Promise.reject(new Error("not asked for")),
    listen: () => Promise.reject(new Error("not asked for")),
    close: async () => {},
  }
}

async function startWith(database: Database) {
  const ledger = await openTestLedger(database, await makeDirectory(), { timing: { queryTimeoutMs: 3_600_000 } })
  const pipeline = await startPipeline({
    upstream: far.origin,
    ledger: { append: ledger.append, recordIntent: ledger.recordIntent },
  })
  return { ledger, pipeline }
}

test("[LOG-13] a response never waits for a database that does not respond", async () => {
  const well = await startWith(databaseWith(async () => ({ rows: [], rowCount: 0 })))
  const paused = await startWith(databaseWith(() => new Promise(() => {})))
  const ask = async ({ pipeline }: typeof well, stream: boolean) => {
    const answer = await fetch(`${pipeline.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "x-majordomo-key": KEY, "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-4o-mini", stream, messages: [] }),
    })
    expect(answer.status).toBe(200)
    await answer.text()
  }
  for (let i = 0; i < 100; i++) {
    await ask(well, i % 3 === 0)
    await ask(paused, i % 3 === 0) // hangs if anything waits for the statement, which never ends
  }
  expect(paused.ledger.stats()).toMatchObject({ accepted: 100, written: 0, waiting: 100, dropped: 0 })
  await expect.poll(() => well.ledger.stats().written).toBe(100)
  await Promise.all([well.pipeline.close(), paused.pipeline.close()])
})

/** Returns the times in ms at which a writer tried to reach the database, given when the database recovers. */
async function traceWriter(untilMs: number, isWell: (ms: number) => boolean, random: () => number): Promise<number[]> {
  const startedAt = Date.now()
  const asked: number[] = []
  const random_ = vi.spyOn(Math, "random").mockImplementation(random)
  const source = {
    waitingLines: 1_000_000,
    waitingBytes: 1,
    read: async () => ({ array: Buffer.from('[{"id":"1"}]'), starts: [1], lines: 1, damaged: [] }),
    ack: () => {},
  }
  const writer = new Writer({
    db: databaseWith(async () => {
      const ms = Date.now() - startedAt
      asked.push(ms)
      if (!isWell(ms)) throw Object.assign(new Error("gone"), { code: "ECONNREFUSED" })
      return { rows: [], rowCount: 1 }
    }),
    sources: [source],
    journal: undefined,
    settlement: undefined,
    timing: WRITER_TIMING,
    prepare: async () => {},
    reject: () => true,
    onSettled: () => {},
    onSlow: () => {},
    onSkipped: () => {},
    onFailure: () => {},
  })
  writer.wake()
  await vi.advanceTimersByTimeAsync(untilMs)
  await writer.close(0)
  random_.mockRestore()
  return asked
}

const gaps = (moments: readonly number[]) => moments.slice(1).map((ms, i) => ms - moments[i]!)

test("[LOG-14] delays between retries double from 50 ms to 2 s, each shortened by up to half, and start again after a success", async () => {
  vi.useFakeTimers()
  try {
    const longest = gaps(
      await traceWriter(
        20_000,
        () => false,
        () => 1,
      ),
    )
    expect(longest.slice(0, 8)).toEqual([50, 100, 200, 400, 800, 1600, 2000, 2000])
    expect(Math.max(...longest)).toBe(2000)
    const shortest = gaps(
      await traceWriter(
        20_000,
        () => false,
        () => 0,
      ),
    )
    expect(shortest.slice(0, 8)).toEqual([25, 50, 100, 200, 400, 800, 1000, 1000])
    const again = await traceWriter(
      20_000,
      (ms) => ms > 9000 && ms < 9500,
      () => 1,
    )
    const fresh = gaps(again.filter((ms) => ms >= 9500))
    expect(fresh.slice(0, 4)).toEqual([50, 100, 200, 400])
  } finally {
    vi.useRealTimers()
  }
})

test("[LOG-14] ten gateways that lose their database at the same moment do not retry at the same moment", async () => {
  vi.useFakeTimers()
  try {
    const traces: number[][] = []
    for (let i = 0; i < 10; i++) traces.push(await traceWriter(60_000, () => false, Math.random))
    const late = traces.flatMap((moments) => moments.filter((ms) => ms > 10_000))
    // In any 100 ms, at most half of them retry. Without jitter all ten would.
    const most = Math.max(...late.map((at) => late.filter((ms) => ms >= at && ms < at + 100).length))
    expect(late.length).toBeGreaterThan(10 * 25)
    expect(most).toBeLessThanOrEqual(6)
  } finally {
    vi.useRealTimers()
  }
})
