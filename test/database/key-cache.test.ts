import { describe, expect, onTestFinished, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import type { Database, Query, RunQuery } from "../../src/database/_database.ts"
import { createKeyCache, type KeyCacheOptions } from "../../src/database/key-cache.ts"
import { createKey, revokeKey, updateKey } from "../../src/database/keys.ts"
import { openDatabase } from "../../src/database/open.ts"
import { migrate } from "../../src/database/schema.ts"
import { describeDatabases, postgresAt } from "../support/databases.ts"
import { startPostgres } from "../support/postgres.ts"

const isLookUp = (query: Query | string) => typeof query !== "string" && query.text.includes("WHERE key_hash")

/** Wraps a database and counts how often keys are looked up in it. */
function countLookUps(db: Database): { db: Database; lookUps: () => number } {
  let count = 0
  const query: RunQuery = (statement) => {
    if (isLookUp(statement)) count++
    return db.query(statement)
  }
  return { db: { ...db, query }, lookUps: () => count }
}

async function openCache(db: Database, options?: KeyCacheOptions) {
  const cache = createKeyCache(db, options)
  onTestFinished(() => cache.close())
  await expect.poll(cache.isTrusted, { interval: 5 }).toBe(true)
  return cache
}

describeDatabases("cached keys", (open) => {
  test("[AUT-12] a key is looked up once and then found at once; a thousand concurrent first requests share one look-up", async () => {
    const { db, lookUps } = countLookUps(await open())
    const { key, secret } = await createKey(db, { name: "k" })
    const cache = await openCache(db)
    const callers = await Promise.all(Array.from({ length: 1000 }, () => cache.find(hashKey(secret))))
    expect(new Set(callers.map((caller) => caller?.keyId))).toEqual(new Set([key.id]))
    expect(cache.find(hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    expect(lookUps()).toBe(1)
  })

  test("[AUT-13] an unknown key is looked up once, and works as soon as it is created", async () => {
    const { db, lookUps } = countLookUps(await open())
    const cache = await openCache(db)
    const hash = hashKey("mdm_sk_guessed")
    expect(await cache.find(hash)).toBeUndefined()
    expect(cache.find(hash)).toBeUndefined()
    expect(lookUps()).toBe(1)
    await db.query({ text: "INSERT INTO api_keys (key_hash, name) VALUES ($1, 'n')", values: [hash] })
    await expect.poll(async () => (await cache.find(hash)) !== undefined).toBe(true)
  })

  test("a changed discount reaches every gateway that has the key in its cache", async () => {
    const db = await open()
    const caches = await Promise.all([openCache(db), openCache(db)])
    const { key, secret } = await createKey(db, { name: "k" })
    for (const cache of caches) expect(await cache.find(hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    await updateKey(db, key.id, { discount: "10" })
    for (const cache of caches) {
      await expect.poll(async () => (await cache.find(hashKey(secret)))?.discountFactor).toBe("0.9")
    }
  })

  test("changed metadata reaches every gateway that has the key in its cache", async () => {
    const db = await open()
    const cache = await openCache(db)
    const { key, secret } = await createKey(db, { name: "k", default_metadata: { team: "search" } })
    const find = async () => (await cache.find(hashKey(secret)))?.metadata
    expect(await find()).toEqual({ defaults: { Team: "search" }, locked: {}, required: [] })
    await updateKey(db, key.id, { default_metadata: {} })
    await expect.poll(find).toBeUndefined()
  })

  test("once a revocation returns, every gateway of the database rejects the key", async () => {
    const db = await open()
    const caches = await Promise.all([openCache(db), openCache(db), openCache(db)])
    for (let round = 0; round < 20; round++) {
      const { key, secret } = await createKey(db, { name: "k" })
      for (const cache of caches)
        expect(await cache.find(hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
      await revokeKey(db, key.id)
      for (const cache of caches) expect(await cache.find(hashKey(secret))).toBeUndefined()
    }
  })

  test("[AUT-02] a revocation by hand takes effect too", async () => {
    const db = await open()
    const { secret } = await createKey(db, { name: "k" })
    const cache = await openCache(db)
    expect(await cache.find(hashKey(secret))).toBeDefined()
    await db.query("UPDATE api_keys SET is_active = false")
    await expect.poll(() => cache.find(hashKey(secret))).toBeUndefined()
  })

  test("[AUT-14] a key is looked up again after its time to live", async () => {
    const { db, lookUps } = countLookUps(await open())
    const { secret } = await createKey(db, { name: "k" })
    let skipped = 0
    const cache = await openCache(db, { now: () => performance.now() + skipped, ttlMs: 5_000 })
    await cache.find(hashKey(secret))
    skipped = 5_000
    expect(cache.isTrusted()).toBe(true)
    await cache.find(hashKey(secret))
    expect(lookUps()).toBe(2)
  })

  test("[LIM-04] the cache is bounded, for known and unknown keys separately", async () => {
    const { db, lookUps } = countLookUps(await open())
    const { secret } = await createKey(db, { name: "k" })
    const cache = await openCache(db, { maxKnown: 1, maxUnknown: 10 })
    await cache.find(hashKey(secret))
    for (let n = 0; n < 30; n++) await cache.find(hashKey(`guess ${n}`))
    expect(lookUps()).toBe(31)
    expect(cache.find(hashKey(secret))).toBeDefined()
    expect(cache.find(hashKey("guess 29"))).toBeUndefined()
    await cache.find(hashKey("guess 0"))
    expect(lookUps()).toBe(32)
  })
})

describe("cached keys when the database has a problem", () => {
  test("while it is unavailable, known keys are accepted and others get an error; when it is back, all are looked up again", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const { db, lookUps } = countLookUps(await openDatabase(postgresAt(server.url), { role: "serve", log: () => {} }))
    onTestFinished(() => db.close())
    await migrate(db)
    const known = await createKey(db, { name: "known" })
    const revoked = await createKey(db, { name: "revoked meanwhile" })
    const cache = await openCache(db)
    for (const { secret } of [known, revoked]) await cache.find(hashKey(secret))

    await server.stop()
    await expect.poll(cache.isTrusted, { interval: 5 }).toBe(false)
    for (let n = 0; n < 100; n++)
      expect(await cache.find(hashKey(known.secret))).toEqual({ keyId: known.key.id, keyName: known.key.name })
    expect(lookUps()).toBeLessThan(10)
    const other = async () => cache.find(hashKey("mdm_sk_other"))
    await expect(other()).rejects.toMatchObject({ code: "keys_unavailable", status: 503 })

    await server.start()
    await db.query("UPDATE api_keys SET revoked_at = now() WHERE name LIKE 'revoked%'")
    await expect.poll(cache.isTrusted).toBe(true)
    expect(await cache.find(hashKey(revoked.secret))).toBeUndefined()
    expect(await cache.find(hashKey(known.secret))).toEqual({ keyId: known.key.id, keyName: known.key.name })
    expect(await other()).toBeUndefined()
  })

  test("while it is frozen, known keys are accepted at once after a first wait", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const db = await openDatabase(postgresAt(server.url), { role: "serve", log: () => {} })
    onTestFinished(() => db.close())
    await migrate(db)
    const { key, secret } = await createKey(db, { name: "k" })
    let skipped = 0
    const cache = await openCache(db, { now: () => performance.now() + skipped })
    await cache.find(hashKey(secret))
    await server.freeze()
    skipped = 60_000 // as if this process had been frozen too
    expect(cache.isTrusted()).toBe(false)
    expect(await cache.find(hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    for (let n = 0; n < 10; n++) {
      skipped += 300
      expect(cache.find(hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    }
    await server.thaw()
  })

  test("[AUT-04] if its notifications are lost (a pooler in transaction mode), every request looks its key up, and a revocation takes effect at once", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const real = await openDatabase(postgresAt(server.url), { role: "serve", log: () => {} })
    onTestFinished(() => real.close())
    await migrate(real)
    const withoutNotifications: Database = {
      ...real,
      listen: async (_, { onState }) => {
        onState(false)
        return { close: async () => {} }
      },
    }
    const { db, lookUps } = countLookUps(withoutNotifications)
    const { key, secret } = await createKey(db, { name: "k" })
    const cache = createKeyCache(db)
    onTestFinished(() => cache.close())
    for (let n = 0; n < 3; n++) expect(await cache.find(hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    expect(lookUps()).toBe(3)
    await revokeKey(db, key.id)
    expect(await cache.find(hashKey(secret))).toBeUndefined()
  })

  test("while it is unavailable, a known key is accepted only up to the age that is set", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const db = await openDatabase(postgresAt(server.url), { role: "serve", log: () => {} })
    onTestFinished(() => db.close())
    await migrate(db)
    const { key, secret } = await createKey(db, { name: "k" })
    let skipped = 0
    const identity = { name: "one", slot: "one", offlineMs: 600_000 }
    const cache = await openCache(db, { now: () => performance.now() + skipped, identity })
    const ask = async () => cache.find(hashKey(secret))
    expect(await ask()).toEqual({ keyId: key.id, keyName: key.name })
    await server.stop()
    await expect.poll(cache.isTrusted, { interval: 5 }).toBe(false)
    skipped = 500_000
    expect(await ask()).toEqual({ keyId: key.id, keyName: key.name })
    skipped = 700_000
    await expect(ask()).rejects.toMatchObject({ code: "keys_unavailable", status: 503 })
    await server.start()
    await expect.poll(() => ask().catch(() => undefined)).toEqual({ keyId: key.id, keyName: key.name })
  })

  test("a killed gateway delays a revocation only until its cache cannot be trusted any more", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const db = await openDatabase(postgresAt(server.url), { role: "serve", log: () => {} })
    onTestFinished(() => db.close())
    await migrate(db)
    const { key } = await createKey(db, { name: "k" })
    const { rows } = await db.query(
      "INSERT INTO majordomo_gateways (id, seen_at) VALUES (gen_random_uuid(), clock_timestamp() - interval '11 s') RETURNING seen_at",
    )
    await revokeKey(db, key.id)
    const isOver = "SELECT clock_timestamp() >= $1::timestamptz + interval '11.9 s' AS yes"
    expect((await db.query({ text: isOver, values: [rows[0]!["seen_at"]] })).rows).toEqual([{ yes: true }])
  })
})
