import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { revokeKey } from "../../src/database/keys.ts"
import { migrate } from "../../src/database/schema.ts"
import { readSchemaState } from "../../src/database/schema-state.ts"
import { describePostgresFirst } from "../support/databases.ts"

const read = (file: string) => readFileSync(new URL(`../../migrations/${file}`, import.meta.url), "utf8")

describePostgresFirst("a database of version 2 with rows", (open) => {
  test("comes to the present version with its rows, and its gateways without a limit are named", async () => {
    const db = await open({ empty: true })
    await db.query(read("0001_foundation.sql"))
    await db.query(read("0002_dialect.sql"))
    await db.query(
      "INSERT INTO majordomo_migrations (version, name, breaking) VALUES (1, 'foundation', false), (2, 'dialect', false)",
    )
    const { rows: keys } = await db.query<{ id: string }>(
      "INSERT INTO api_keys (key_hash, name) VALUES (repeat('0', 64), 'k') RETURNING id",
    )
    await db.query(`INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code)
      VALUES ('openai', 'm', '/', 'POST', now(), now(), 1, 200)`)
    await db.query(
      "INSERT INTO majordomo_gateways (id, seen_at, heard) VALUES (gen_random_uuid(), now() - interval '1 min', 0)",
    )
    expect(await readSchemaState(db.query)).toEqual({ kind: "older", version: 2 })
    expect(await migrate(db)).toMatchObject({ did: "updated" })
    expect((await db.query("SELECT model, dialect FROM llm_requests")).rows).toEqual([{ model: "m", dialect: null }])
    const { gateways } = await revokeKey(db, keys[0]!.id)
    const silent = db.kind === "embedded" ? [] : [expect.objectContaining({ acceptsUntil: undefined })]
    expect(gateways).toEqual({ acknowledged: [], silent })
    // A program of version 2 goes on writing its row.
    await db.query("INSERT INTO majordomo_gateways (id, heard) VALUES (gen_random_uuid(), 0)")
  })
})
