import { expect, onTestFinished, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import type { Database, Query, Result } from "../../src/database/_database.ts"
import { createKeyCache } from "../../src/database/key-cache.ts"
import { createKey } from "../../src/database/keys.ts"
import { connect } from "../database/_ledger.ts"
import { collectGarbage } from "../support/garbage.ts"
import { createTestDatabase } from "../support/postgres.ts"

const PER_SECOND = 10_000
const GUESSES = 20_000
/** The cache rejects keys while 1,000 of them wait for the database. */
const MAX_UNANSWERED = 900

/** The same database; `asked` records how many keys each lookup was for. */
function watch(db: Database): { db: Database; asked: number[] } {
  const asked: number[] = []
  const query = <Row>(statement: Query | string): Promise<Result<Row>> => {
    if (typeof statement !== "string" && statement.text.includes("WHERE key_hash"))
      asked.push((statement.values![0] as string[]).length)
    return db.query<Row>(statement)
  }
  return { db: { ...db, query }, asked }
}

test("[LIM-04] 10,000 guessed keys per second cause at most 100 statements per second; a cached key is found immediately, and a new key while the guesses go on", async () => {
  const { db, asked } = watch(await connect((await createTestDatabase()).url))
  const remembered = await createKey(db, { name: "remembered" })
  const cache = createKeyCache(db)
  onTestFinished(() => cache.close())
  await expect.poll(cache.isTrusted, { interval: 5 }).toBe(true)
  await cache.find(hashKey(remembered.secret))
  asked.length = 0

  const startedAt = performance.now()
  const found: unknown[] = []
  const outcomes = { unknown: 0, refused: 0, accepted: 0 }
  const guesses: Promise<void>[] = []
  const newKeys: Promise<void>[] = []
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - startedAt
      const due = Math.min(Math.floor((elapsedMs / 1000) * PER_SECOND), GUESSES)
      // A busy machine cannot answer them at this rate.
      while (guesses.length < due && guesses.length - outcomes.unknown < MAX_UNANSWERED) {
        guesses.push(
          Promise.resolve()
            .then(() => cache.find(hashKey(`guess ${guesses.length} ${Math.random()}`)))
            .then(
              (caller) => void (caller ? outcomes.accepted++ : outcomes.unknown++),
              () => void outcomes.refused++,
            ),
        )
      }
      found.push(cache.find(hashKey(remembered.secret)))
      if (newKeys.length < Math.floor(guesses.length / 4000)) newKeys.push(useNewKey())
      if (guesses.length < GUESSES) return
      clearInterval(timer)
      resolve()
    }, 5)
  })
  async function useNewKey(): Promise<void> {
    const { key, secret } = await createKey(db, { name: "new" })
    expect(await cache.find(hashKey(secret))).toEqual({ keyId: key.id, keyName: "new" })
  }
  await Promise.all(guesses)
  const tookMs = performance.now() - startedAt
  await Promise.all(newKeys)

  expect(outcomes).toEqual({ unknown: guesses.length, refused: 0, accepted: 0 })
  expect(asked.reduce((sum, keys) => sum + keys, 0)).toBe(guesses.length + newKeys.length)
  expect(asked.length).toBeLessThan(tookMs / 9) // a timer can fire a millisecond early
  // Immediately: the result is not a promise, so that nothing waits.
  expect(found.filter((caller) => caller instanceof Promise || caller === undefined)).toEqual([])
  expect(found.length).toBeGreaterThan(0)
  expect(newKeys.length).toBe(5)
})

test("[LIM-04] 100,000 guessed keys need no more memory than the first 20,000", async () => {
  const cache = createKeyCache(silentDatabase(async () => ({ rows: [], rowCount: 0 })))
  onTestFinished(() => cache.close())
  let next = 0
  const guess = async (count: number) => {
    for (let done = 0; done < count; done += 500)
      await Promise.all(Array.from({ length: 500 }, () => cache.find(hashKey(`guess ${next++}`))))
    return collectGarbage().heapUsed
  }
  const before = await guess(20_000)
  expect((await guess(80_000)) - before).toBeLessThan(4 << 20)
})

test("[LIM-04] if the database does not respond, 1,000 guessed keys wait for it and the next ones are rejected immediately", async () => {
  const cache = createKeyCache(silentDatabase(() => new Promise(() => {})))
  let refused = 0
  for (let n = 0; n < 1500; n++) void Promise.resolve(cache.find(hashKey(`guess ${n}`))).catch(() => refused++)
  await expect.poll(() => refused).toBe(500)
})

/** A key store that returns given results, without notifications. */
function silentDatabase(query: () => Promise<Result<never>>): Database {
  return {
    kind: "postgres",
    title: "a database of the test",
    query: query as Database["query"],
    transaction: () => Promise.reject(new Error("not asked for")),
    listen: async (_channel, { onState }) => {
      onState(true)
      return { close: async () => {} }
    },
    close: async () => {},
  }
}
