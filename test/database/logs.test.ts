import { readdirSync, statSync } from "node:fs"
import { beforeAll, describe, expect, it } from "vitest"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

let url: string

beforeAll(async () => {
  url = (await createTestDatabase()).url
})

describe("a row", () => {
  it("is in the database as it was appended, and what was not said is NULL", async () => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory())
    const record = aRecord()
    ledger.append(record)
    expect(await ledger.drain(5000)).toEqual({ drained: true, waiting: 0 })
    const { rows } = await db.query({ text: "SELECT * FROM llm_requests WHERE id = $1", values: [record.id] })
    expect(rows[0]).toMatchObject({
      majordomo_api_key_id: record.majordomo_api_key_id,
      model: "gpt-4o-mini-2024-07-18",
      created_at: new Date("2026-11-20T10:00:00.412Z"),
      first_byte_ms: 398,
      input_tokens: "1000",
      total_cost: "0.000420000000",
      usage: record.usage,
      raw_metadata: record.raw_metadata,
      streamed: false,
      error_message: null,
      request_body: null,
    })
  })

  it("is written within the linger time without anybody asking", async () => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory())
    const record = aRecord()
    ledger.append(record)
    await expect
      .poll(
        async () =>
          (await db.query({ text: "SELECT 1 FROM llm_requests WHERE id = $1", values: [record.id] })).rowCount,
      )
      .toBe(1)
  })

  it("is on disk before append returns, in files that only this user may read", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const ledger = await openTestLedger(db, `${dir}/journal`, { timing: { lingerMs: 60_000 } })
    ledger.append(aRecord())
    const files = readdirSync(`${dir}/journal`)
    expect(files).toEqual(["000000000001.jsonl"])
    expect(statSync(`${dir}/journal`).mode & 0o777).toBe(0o700)
    expect(statSync(`${dir}/journal/${files[0]}`).mode & 0o777).toBe(0o600)
    expect(statSync(`${dir}/journal/${files[0]}`).size).toBeGreaterThan(500)
  })
})
