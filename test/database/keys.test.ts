import { expect, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import { findCaller } from "../../src/database/key-lookups.ts"
import {
  countKeys,
  createKey,
  ensureFirstKey,
  getKey,
  listKeys,
  rejectEmptyChange,
  revokeKey,
  updateKey,
} from "../../src/database/keys.ts"
import { describeDatabases } from "../support/databases.ts"

describeDatabases("API keys", (open) => {
  test("[AUT-16] a new key is accepted by its hash, and its secret is not stored in the database", async () => {
    const db = await open()
    const { key, secret } = await createKey(db, { name: "Development", description: "for tests" })
    expect(secret).toMatch(/^mdm_sk_[A-Za-z0-9_-]{43}$/)
    expect(await findCaller(db, hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    expect(await listKeys(db)).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        name: "Development",
        description: "for tests",
        discountPercent: undefined,
        bindings: [],
        metadata: undefined,
        isActive: true,
        createdAt: expect.stringMatching(/^20\d\d-.*Z$/),
        updatedAt: key.createdAt,
        revokedAt: undefined,
        lastUsedAt: undefined,
        requestCount: 0,
      },
    ])
    const { rows } = await db.query<{ all: string }>("SELECT string_agg(k::text, '') AS all FROM api_keys k")
    expect(rows[0]!.all).not.toContain(secret.slice("mdm_sk_".length))
  })

  test("a revoked key is rejected; revoking it again changes nothing and says so", async () => {
    const db = await open()
    const { key, secret } = await createKey(db, { name: "k" })
    const first = await revokeKey(db, key.id)
    expect(first).toMatchObject({ wasRevokedBefore: false, key: { isActive: false, revokedAt: expect.any(String) } })
    expect(await findCaller(db, hashKey(secret))).toBeUndefined()
    expect(await revokeKey(db, key.id)).toEqual({ ...first, wasRevokedBefore: true })
  })

  test("name and description change independently, and an empty description removes it", async () => {
    const db = await open()
    const { key } = await createKey(db, { name: "old", description: "text" })
    expect(await updateKey(db, key.id, { name: "new" })).toMatchObject({ name: "new", description: "text" })
    expect(await updateKey(db, key.id, { description: "" })).toMatchObject({ name: "new", description: undefined })
    expect(() => rejectEmptyChange({ name: undefined })).toThrow(/nothing to change/)
  })

  test("a discount changes like a description, and the key's callers have what remains of a price", async () => {
    const db = await open()
    const { key, secret } = await createKey(db, { name: "k", discount: "12.5" })
    const factorOf = async () => (await findCaller(db, hashKey(secret)))?.discountFactor
    expect([key.discountPercent, await factorOf()]).toEqual(["12.5", "0.875"])
    expect(await updateKey(db, key.id, { name: "new" })).toMatchObject({ name: "new", discountPercent: "12.5" })
    expect(await updateKey(db, key.id, { discount: "0.000001%" })).toMatchObject({ discountPercent: "0.000001" })
    expect(await factorOf()).toBe("0.99999999")
    for (const none of ["0", "0%", ""]) {
      await updateKey(db, key.id, { discount: "7" })
      expect(await updateKey(db, key.id, { discount: none })).toMatchObject({ discountPercent: undefined })
    }
    expect(await factorOf()).toBeUndefined()
    for (const wrong of ["100", "-1", "1e1", "12,5", "0.0000001", "ten"]) {
      await expect(updateKey(db, key.id, { discount: wrong })).rejects.toThrow(
        `a percentage from 0 to below 100, with at most 6 digits after the point, such as 12.5; got "${wrong}"`,
      )
    }
  })

  test("unknown or malformed ids, and empty or too long names, are rejected with a reason", async () => {
    const db = await open()
    const unknown = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
    for (const act of [getKey, revokeKey, (d: typeof db, id: string) => updateKey(d, id, { name: "n" })]) {
      await expect(act(db, unknown)).rejects.toThrow(`there is no API key with the id ${unknown}: see keys list`)
      await expect(act(db, "7")).rejects.toThrow(/^the id of an API key looks like a1b2.*, got "7"/)
    }
    await expect(getKey(db, "mdm_sk_secret")).rejects.toThrow(/got a key itself/)
    await expect(createKey(db, { name: " \t" })).rejects.toThrow("the name of an API key must not be empty")
    await expect(createKey(db, { name: "é".repeat(256) })).rejects.toThrow(/at most 255 characters, got 256/)
    const longest = "👍".repeat(255)
    expect((await createKey(db, { name: longest })).key.name).toBe(longest)
    expect((await createKey(db, { name: "b\ud800" })).key.name).toBe("b\ufffd")
    await expect(createKey(db, { name: "a\0b" })).rejects.toThrow("contains the invisible character U+0000")
  })

  test("the first key is created once, even by concurrent calls, and never when there are other keys", async () => {
    const db = await open()
    const created = await Promise.all([1, 2, 3, 4].map(() => ensureFirstKey(db)))
    expect(created.filter(Boolean).map((each) => each!.key.name)).toEqual(["Default"])
    expect(await countKeys(db)).toBe(1)
    await revokeKey(db, (await listKeys(db))[0]!.id)
    expect(await ensureFirstKey(db)).toBeUndefined()
  })
})
