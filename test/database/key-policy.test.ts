import { expect, onTestFinished, test } from "vitest"
import { readMigrations } from "../../build/schema/migrations.ts"
import { hashKey } from "../../src/core/key.ts"
import { findEnd } from "../../src/core/key-policy.ts"
import type { Database } from "../../src/database/_database.ts"
import { createKeyCache } from "../../src/database/key-cache.ts"
import { findCaller } from "../../src/database/key-lookups.ts"
import { discardSecret, rotateSecret } from "../../src/database/key-secrets.ts"
import { createKey, getKey, listKeys, revokeKey, updateKey } from "../../src/database/keys.ts"
import { migrate } from "../../src/database/schema.ts"
import { describeDatabases } from "../support/databases.ts"
import { describeSchema, insertOldRequest, makeOlderScript } from "./_schemas.ts"

/** The version before the migration, whatever its number is. */
const BEFORE = readMigrations("migrations").find(({ name }) => name === "key_policy")!.version - 1
const HOUR_MS = 3_600_000

async function openCache(db: Database) {
  const cache = createKeyCache(db)
  onTestFinished(() => cache.close())
  await expect.poll(cache.isTrusted, { interval: 5 }).toBe(true)
  return cache
}

describeDatabases("the policy of a key", (open, kind) => {
  test("is stored, reaches its callers and every gateway that has the key in its cache, and is removed", async () => {
    const db = await open()
    const expiresAt = new Date("2027-03-01T00:00:00.500Z")
    const { key, secret } = await createKey(db, {
      name: "k",
      policy: { expiresAt, models: ["gpt-5*"], providers: ["openai"] },
    })
    expect(key).toMatchObject({ expiresAt: "2027-03-01T00:00:00.500Z", models: ["gpt-5*"], providers: ["openai"] })
    const cache = await openCache(db)
    const find = async () => (await cache.find(hashKey(secret)))?.policy
    expect(await find()).toEqual({
      expiresAt: expiresAt.getTime(),
      secretEndsAt: undefined,
      models: ["gpt-5*"],
      providers: ["openai"],
    })
    await updateKey(db, key.id, { policy: { models: ["claude-*", "gpt-5"] } })
    await expect.poll(find).toMatchObject({ expiresAt: expiresAt.getTime(), models: ["claude-*", "gpt-5"] })
    await updateKey(db, key.id, { name: "renamed" })
    expect(await getKey(db, key.id)).toMatchObject({ name: "renamed", providers: ["openai"] })
    await updateKey(db, key.id, { policy: { expiresAt: null, models: null, providers: null } })
    await expect.poll(find).toBeUndefined()
    expect(await getKey(db, key.id)).toMatchObject({ expiresAt: undefined, models: undefined, providers: undefined })
  })

  test("a rotated key keeps its id and its settings; both secrets work until the grace period ends", async () => {
    const db = await open()
    const { key, secret } = await createKey(db, { name: "k", discount: "10", policy: { models: ["gpt-5*"] } })
    const cache = await openCache(db)
    expect(await cache.find(hashKey(secret))).toBeDefined()
    const rotated = await rotateSecret(db, { id: key.id, graceMs: HOUR_MS })
    expect(rotated.key).toMatchObject({ id: key.id, name: "k", discountPercent: "10", models: ["gpt-5*"] })
    const until = Date.parse(rotated.key.previousSecretUntil!)
    expect(until - Date.parse(rotated.key.updatedAt)).toBe(HOUR_MS)
    expect(await cache.find(hashKey(rotated.secret))).toMatchObject({
      keyId: key.id,
      policy: { secretEndsAt: undefined },
    })
    await expect.poll(async () => (await cache.find(hashKey(secret)))?.policy?.secretEndsAt).toBeCloseTo(until, -1)
    const { policy } = (await cache.find(hashKey(secret)))!
    expect([findEnd(policy!, policy!.secretEndsAt! - 1), findEnd(policy!, policy!.secretEndsAt!)]).toEqual([
      undefined,
      policy!.secretEndsAt,
    ])
    // What changes later reaches those that use the old secret, too.
    await updateKey(db, key.id, { discount: "20" })
    await expect.poll(async () => (await cache.find(hashKey(secret)))?.discountFactor).toBe("0.8")
  })

  test("without a grace period the old secret ends at once, a second rotation ends the oldest, and a revocation ends both", async () => {
    const db = await open()
    const { key, secret: first } = await createKey(db, { name: "k" })
    const works = async (secret: string) => (await findCaller(db, hashKey(secret))) !== undefined
    const { secret: second } = await rotateSecret(db, { id: key.id, graceMs: 0 })
    expect([await works(first), await works(second)]).toEqual([false, true])
    const { secret: third } = await rotateSecret(db, { id: key.id, graceMs: HOUR_MS })
    const { secret: fourth } = await rotateSecret(db, { id: key.id, graceMs: HOUR_MS })
    expect([await works(second), await works(third), await works(fourth)]).toEqual([false, true, true])
    const cache = await openCache(db)
    for (const secret of [third, fourth]) expect(await cache.find(hashKey(secret))).toBeDefined()
    await revokeKey(db, key.id)
    for (const secret of [third, fourth]) expect(await cache.find(hashKey(secret))).toBeUndefined()
    await expect(rotateSecret(db, { id: key.id, graceMs: 0 })).rejects.toThrow("is revoked, so it cannot be rotated")
  })

  test("a rotation whose secret nobody saw is undone, and the key is not deleted", async () => {
    const db = await open()
    const { key, secret } = await createKey(db, { name: "k" })
    const rotated = await rotateSecret(db, { id: key.id, graceMs: HOUR_MS })
    expect(await discardSecret(db, rotated.secret)).toBe(true)
    expect(await discardSecret(db, rotated.secret)).toBe(false)
    expect(await findCaller(db, hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    expect(await discardSecret(db, secret)).toBe(true)
    expect(await listKeys(db)).toEqual([])
  })

  test("a database of the version before gets the columns, keeps its keys, and older programs go on reading it", async () => {
    const db = await open({ empty: true })
    await migrate(db, undefined, makeOlderScript(BEFORE))
    await db.query(`INSERT INTO api_keys (key_hash, name) VALUES ('h', 'Old')`)
    await insertOldRequest(db)
    // A gateway that may not migrate serves with the schema that it finds.
    expect(await findCaller(db, "h")).toMatchObject({ policy: undefined })
    expect(await findCaller(db, "other")).toBeUndefined()

    expect((await migrate(db)).did).toBe("updated")
    const [key] = await listKeys(db)
    expect(key).toMatchObject({ name: "Old", expiresAt: undefined, models: undefined, previousSecretUntil: undefined })
    const { secret } = await rotateSecret(db, { id: key!.id, graceMs: HOUR_MS })
    expect(await findCaller(db, "h")).toMatchObject({ keyId: key!.id, policy: { secretEndsAt: expect.any(Number) } })
    const older = { text: "SELECT id FROM api_keys WHERE key_hash = $1 AND is_active", values: [hashKey(secret)] }
    expect((await db.query(older)).rows).toEqual([{ id: key!.id }])
    if (kind === "postgres") expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
