import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { aRecord, makeDirectory, openTestLedger } from "./_ledger.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests } from "./_verify.ts"

const WEBSOCKET = "0197a000-0000-7000-8000-000000000077"

describePostgresFirst("a database with requests from before WebSockets were recorded", (open) => {
  test("is like a new one afterwards: its requests are HTTP requests, and new rows name their WebSocket", async () => {
    const [db, fresh] = [await open({ empty: true }), await open()]
    await db.query(makeOlderScript(23))
    await insertRequests(db, "2026-02-01T00:00:00Z", 1, 60)
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(fresh))
    const ledger = await openTestLedger(db, await makeDirectory())
    ledger.append(aRecord({ transport: "websocket", websocket_id: WEBSOCKET, majordomo_api_key_id: undefined }))
    expect((await ledger.drain(60_000)).drained).toBe(true)
    await ledger.close()
    const { rows } = await db.query(
      "SELECT transport, websocket_id, count(*)::int AS requests FROM llm_requests GROUP BY 1, 2 ORDER BY 3",
    )
    expect(rows).toEqual([
      { transport: "websocket", websocket_id: WEBSOCKET, requests: 1 },
      { transport: null, websocket_id: null, requests: 60 },
    ])
    await expectBalance(db)
  })
})
