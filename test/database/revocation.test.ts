import pg from "pg"
import { describe, expect, onTestFinished, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import type { Database } from "../../src/database/_database.ts"
import { createKeyCache } from "../../src/database/key-cache.ts"
import { createKey, revokeKey } from "../../src/database/keys.ts"
import { openDatabase } from "../../src/database/open.ts"
import { describeDatabases, postgresAt } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"

const HOUR_MS = 3_600_000

async function openCache(db: Database, name: string, more: { slot?: string; trusted?: boolean } = {}) {
  const identity = { name, slot: more.slot ?? name, offlineMs: HOUR_MS }
  const cache = createKeyCache(db, { identity })
  onTestFinished(() => cache.close())
  if (more.trusted !== false) await expect.poll(cache.isTrusted, { interval: 5 }).toBe(true)
  return cache
}

const readNames = async (db: Database) =>
  (await db.query<{ name: string }>("SELECT name FROM majordomo_gateways ORDER BY name")).rows.map(({ name }) => name)

describeDatabases("a revocation", (open) => {
  test("names the gateways that reject the key", async () => {
    const db = await open()
    await openCache(db, "b")
    await openCache(db, "a")
    const { key } = await createKey(db, { name: "k" })
    const { gateways } = await revokeKey(db, key.id)
    expect(gateways.acknowledged.map(({ name }) => name)).toEqual(["a", "b"])
    expect(gateways.silent).toEqual([])
  })

  test("does not wait for the process that had the directory of a running gateway before", async () => {
    const db = await open()
    await db.query(
      "INSERT INTO majordomo_gateways (id, name, slot, offline_s) VALUES (gen_random_uuid(), 'dead', 's', 3600)",
    )
    await openCache(db, "alive", { slot: "s" })
    expect(await readNames(db)).toEqual(["alive"])
  })

  test("is acknowledged without notifications too, by a gateway that renews its row by itself", async () => {
    const db = await open()
    const deaf: Database = {
      ...db,
      listen: async (_, { onState }) => {
        onState(false)
        return { close: async () => {} }
      },
    }
    await openCache(deaf, "behind a pooler", { trusted: false })
    await expect.poll(() => readNames(db)).toEqual(["behind a pooler"])
    const { key } = await createKey(db, { name: "k" })
    const { gateways } = await revokeKey(db, key.id)
    expect(gateways.acknowledged.map(({ name }) => name)).toEqual(["behind a pooler"])
  })
})

describe("a revocation (PostgreSQL)", () => {
  async function openOne() {
    const database = await createTestDatabase()
    const db = await openDatabase(postgresAt(database.url), { role: "serve", log: () => {} })
    onTestFinished(() => db.close())
    return { ...database, db }
  }

  test("names the silent gateways, and until when they may accept the key; one beyond its limit is not silent", async () => {
    const { db } = await openOne()
    await openCache(db, "here")
    await db.query(`INSERT INTO majordomo_gateways (id, seen_at, name, slot, offline_s) VALUES
      (gen_random_uuid(), now() - interval '10 min', 'cut off', 'x', 3600),
      (gen_random_uuid(), now() - interval '3 h', 'long gone', 'y', 3600),
      (gen_random_uuid(), now() - interval '10 min', NULL, NULL, NULL)`)
    const { key } = await createKey(db, { name: "k" })
    const { gateways } = await revokeKey(db, key.id)
    expect(gateways.acknowledged.map(({ name }) => name)).toEqual(["here"])
    const [cutOff, older, ...none] = gateways.silent
    expect(none).toEqual([])
    expect(cutOff).toMatchObject({ name: "cut off" })
    const limitMs = Date.parse(cutOff!.acceptsUntil!) - Date.parse(cutOff!.lastSeenAt)
    expect(limitMs).toBe(HOUR_MS + 12_000)
    expect(older).toMatchObject({ name: expect.stringMatching(/^[0-9a-f-]{36}$/), acceptsUntil: undefined })
  })

  test("cannot be acknowledged by a notification of a role that may only connect, and its garbage breaks nothing", async () => {
    const { db, url, name } = await openOne()
    await db.query("CREATE ROLE stranger LOGIN PASSWORD 'x'").catch(() => {})
    await db.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO stranger`)
    const asStranger = new URL(url)
    asStranger.username = "stranger"
    asStranger.password = "x"
    const stranger = new pg.Client({ connectionString: asStranger.href })
    await stranger.connect()
    onTestFinished(() => stranger.end())

    const cache = await openCache(db, "one")
    const readHeard = async () =>
      (await db.query<{ heard: string }>("SELECT heard FROM majordomo_gateways")).rows[0]!.heard
    for (const payload of ["?9000000", "?", "?x", "?-1", "?99999999999999999999", "*", "'"])
      await stranger.query("SELECT pg_notify('majordomo_keys', $1)", [payload])
    const { key, secret } = await createKey(db, { name: "k" })
    expect(await cache.find(hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    const { gateways } = await revokeKey(db, key.id)
    expect(gateways).toMatchObject({ acknowledged: [{ name: "one" }], silent: [] })
    expect(await readHeard()).toBe("1")
    expect(await cache.find(hashKey(secret))).toBeUndefined()
    expect(cache.isTrusted()).toBe(true)
  })
})
