import { expect, test } from "vitest"
import { readMigrations } from "../../build/schema/migrations.ts"
import { findCaller } from "../../src/database/key-lookups.ts"
import { readEncryptedKeys } from "../../src/database/provider-keys.ts"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"

/** The last version without provider keys. */
const VERSION_BEFORE = readMigrations("migrations").find(({ name }) => name === "vault")!.version - 1

describePostgresFirst("a database with keys from before provider keys", (open) => {
  test("serves its keys before the upgrade and after it, and gets the table of provider keys", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    const { rows } = await db.query<{ id: string }>(
      "INSERT INTO api_keys (key_hash, name, discount_percent) VALUES ('hash', 'Old', 12.5) RETURNING id",
    )
    const caller = { keyId: rows[0]!.id, keyName: "Old", discountFactor: "0.875", providerKeys: undefined }
    expect(await findCaller(db, "hash")).toEqual(caller)
    expect(await readEncryptedKeys(db)).toEqual([])
    expect((await migrate(db)).did).toBe("updated")
    expect(await findCaller(db, "hash")).toEqual(caller)
    expect(await readEncryptedKeys(db)).toEqual([])
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
