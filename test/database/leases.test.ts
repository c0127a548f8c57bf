import { describe, expect, test } from "vitest"
import type { LeaseItem, LeaseState } from "../../src/core/limit-lease.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { freeLeasesOfSlot, lease, renewLeases } from "../../src/database/leases.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { deleteLimit, insertLimit, type NewLimit, readLimitStates, updateLimit } from "../../src/database/limits.ts"
import { createRandom } from "../providers/_random.ts"
import { describeDatabases } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { waitForBlocked } from "./_blocked.ts"
import { aRecord, connect } from "./_ledger.ts"

const GATEWAYS = ["a", "b", "c"].map((name) => `0197a000-0000-7000-8000-00000000000${name}`)
const [A, B] = GATEWAYS as [string, string]

const addLimit = (db: Database, changes: Partial<NewLimit> = {}) =>
  insertLimit(db.query, { name: crypto.randomUUID(), measure: "requests", amount: "100", window: "day", ...changes })

const aRow = (at: number, changes: Partial<LogRecord> = {}) =>
  aRecord({ id: crypto.randomUUID(), created_at: new Date(at).toISOString(), ...changes })

const write = (db: Database, rows: readonly LogRecord[]) =>
  insertRows(db.query, JSON.stringify(rows), { count: rows.length })

type Changes = Partial<Record<Exclude<keyof LeaseItem, "limit" | "value">, number>> & { readonly value?: string }

function toItem(limit: string, { value = "", holding = 0, in_use = 0, wanted = 0, least = 0 }: Changes): LeaseItem {
  return { limit, value, holding: `${holding}`, in_use: `${in_use}`, wanted: `${wanted}`, least: `${least}` }
}

/** Asks for one limit, by default at the present time. */
async function ask(
  db: Pick<Database, "query">,
  gateway: string,
  limit: string,
  changes: Changes,
  at = Date.now(),
): Promise<LeaseState> {
  const items = [toItem(limit, changes)]
  return (await lease(db, { gateway, slot: `host:${gateway}`, at, items }))[0]!
}

describeDatabases("leases", (open) => {
  test("shrink to what is free: an eighth of it, then what is needed at least, then nothing", async () => {
    const db = await open()
    const { id } = await addLimit(db)
    await write(db, [aRow(Date.now()), aRow(Date.now())])
    const first = await ask(db, A, id, { wanted: 50, least: 1 })
    expect(first).toMatchObject({
      limit: id,
      value: "",
      granted: "12",
      used: "2",
      leased: "12",
      idle: "0",
      amount: "100",
    })
    expect(first.windowEnd! - first.windowStart).toBe(86_400_000)
    expect(await ask(db, B, id, { wanted: 90, least: 86 })).toMatchObject({ granted: "86", leased: "98", idle: "12" })
    expect(await ask(db, GATEWAYS[2]!, id, { wanted: 1, least: 1 })).toMatchObject({ granted: "0", idle: "98" })
    const states = await readLimitStates(db, { at: Date.now() })
    expect(states).toMatchObject([{ value: "", used: "2", reserved: "98", remaining: "0" }])

    // Returning is unconditional, and so is extending what is in use.
    expect(await ask(db, B, id, { holding: 6, in_use: 6 })).toMatchObject({ granted: "6", leased: "18" })
    expect(await ask(db, A, id, { holding: 200, in_use: 200 })).toMatchObject({
      granted: "200",
      leased: "206",
      idle: "0",
    })
    expect(await ask(db, A, id, {})).toMatchObject({ granted: "0", leased: "6" })
    expect(await ask(db, A, crypto.randomUUID(), { wanted: 1 })).toBeUndefined()

    // Each value has an amount of its own, and money is granted in whole nano-USD.
    const perUser = await addLimit(db, { per: "User-Id", measure: "cost", amount: "1", window: "total" })
    expect(await ask(db, A, perUser.id, { value: "u-9", wanted: 0.5, least: 0.000000001 })).toEqual({
      ...{ limit: perUser.id, value: "u-9", granted: "0.125", used: "0", leased: "0.125", idle: "0", amount: "1" },
      ...{ windowStart: 0, windowEnd: undefined },
    })
    expect(await ask(db, B, perUser.id, { value: "u-9", wanted: 1 })).toMatchObject({ granted: "0.109375" })
    expect(await readLimitStates(db, { at: Date.now(), limit: perUser.id, value: "u-9" })).toMatchObject([
      { value: "u-9", used: "0", reserved: "0.234375", remaining: "0.765625", resetsAt: undefined },
    ])
    expect(await readLimitStates(db, { at: Date.now(), limit: perUser.id, top: 1 })).toMatchObject([{ value: "u-1" }])

    // An expired lease is free, and stays so.
    await db.query("UPDATE llm_limit_leases SET expires_at = clock_timestamp()")
    expect(await renewLeases(db, B)).toBe(0)
    expect(await ask(db, A, id, { wanted: 1, least: 1 })).toMatchObject({ granted: "1", leased: "1" })
    expect(await renewLeases(db, A)).toBe(1)
    expect(await freeLeasesOfSlot(db, { slot: `host:${A}`, except: A })).toBe(0)
    expect(await freeLeasesOfSlot(db, { slot: `host:${A}`, except: B })).toBe(1)
    expect(await ask(db, B, id, {})).toMatchObject({ leased: "0" })

    // A limit takes its leases with it, and so does one whose amounts have another meaning.
    for (const change of [() => updateLimit(db.query, id, { measure: "tokens" }), () => deleteLimit(db.query, id)]) {
      await ask(db, A, id, { holding: 5 })
      await change()
      const { rowCount } = await db.query({ text: "SELECT FROM llm_limit_leases WHERE limit_id = $1", values: [id] })
      expect(rowCount).toBe(0)
    }
  })
})

describe("leases of several gateways (postgres)", () => {
  test("wait for a lease that is not committed yet", async () => {
    const { url } = await createTestDatabase()
    const [db, other] = [await connect(url), await connect(url)]
    const { id } = await addLimit(db, { amount: "1" })
    const [waiting] = await db.transaction(async (query) => {
      expect(await ask({ query }, A, id, { wanted: 1, least: 1 })).toMatchObject({ granted: "1" })
      const waiting = ask(other, B, id, { wanted: 1, least: 1 })
      await waitForBlocked(other)
      return [waiting] as const // in an array, so that the transaction does not wait for it
    })
    expect(await waiting).toMatchObject({ granted: "0", leased: "1" })
  })

  test("are never granted beyond the amount when many ask at once", async () => {
    const { url } = await createTestDatabase()
    const gateways = await Promise.all(Array.from({ length: 8 }, () => connect(url)))
    const { id } = await addLimit(gateways[0]!, { amount: "10" })
    const asked = gateways.flatMap((db) =>
      Array.from({ length: 4 }, () => ask(db, crypto.randomUUID(), id, { wanted: 1, least: 1 })),
    )
    const granted = (await Promise.all(asked)).filter((state) => state.granted === "1")
    expect(granted).toHaveLength(10)
  })

  test("stay within the amount together with what was used, however gateways lease, write and return", async () => {
    const { url } = await createTestDatabase()
    const observer = await connect(url)
    const { id } = await addLimit(observer, { amount: "150", window: "total" })
    const run = async (gateway: string, seed: number) => {
      const db = await connect(url)
      const random = createRandom(seed)
      let holding = 0
      for (let step = 0; step < 20; step++) {
        const [wanted, least] = [random.below(20), random.below(3)]
        holding = Number(
          (await ask(db, gateway, id, { holding, in_use: random.below(holding + 1), wanted, least })).granted,
        )
        // In one transaction, so that no snapshot has rows that are also in the lease.
        const rows = Array.from({ length: Math.min(holding, random.below(8)) }, () => aRow(Date.now()))
        holding -= rows.length
        if (random.below(4) === 0) holding = Math.floor(holding / 2)
        await db.transaction(async (query) => {
          await insertRows(query, JSON.stringify(rows), { count: rows.length })
          await ask({ query }, gateway, id, { holding })
        })
        const [state] = await readLimitStates(observer, { at: Date.now() })
        expect(Number(state!.used) + Number(state!.reserved)).toBeLessThanOrEqual(150)
      }
      await ask(db, gateway, id, {})
    }
    await Promise.all(GATEWAYS.map((gateway, at) => run(gateway, at + 1)))
    const [end] = await readLimitStates(observer, { at: Date.now() })
    expect(end!.reserved).toBe("0")
    const { rowCount } = await observer.query("SELECT FROM llm_requests")
    expect(end!.used).toBe(`${rowCount}`)
  })

  test("stay within the amount of each window when the clocks of gateways differ by a minute at its end", async () => {
    const db = await connect((await createTestDatabase()).url)
    const { id } = await addLimit(db, { amount: "60", window: "hour" })
    const random = createRandom(7)
    const end = Math.ceil(Date.now() / 3_600_000) * 3_600_000
    const gateways = GATEWAYS.map((gateway, at) => ({ gateway, skewMs: (at - 1) * 30_000, at: 0, holding: 0 }))
    for (let clock = end - 90_000; clock < end + 90_000; clock += 3_000) {
      const one = random.one(gateways)
      one.at = clock + one.skewMs
      const wanted = { wanted: random.below(12), least: random.below(2) }
      one.holding = Number((await ask(db, one.gateway, id, { holding: one.holding, ...wanted }, one.at)).granted)
      const rows = Array.from({ length: Math.min(one.holding, random.below(6)) }, () => aRow(one.at))
      one.holding -= rows.length
      await write(db, rows)
      await ask(db, one.gateway, id, { holding: one.holding }, one.at)
      for (const at of [end - 1, end]) {
        const [state] = await readLimitStates(db, { at })
        // A gateway whose clock is in the next window writes no row into this one.
        const leased = gateways.reduce((sum, each) => sum + (each.at < at || at === end ? each.holding : 0), 0)
        expect(Number(state!.used) + leased).toBeLessThanOrEqual(60)
      }
    }
    const used = await Promise.all([end - 1, end].map(async (at) => (await readLimitStates(db, { at }))[0]!.used))
    expect(used.map(Number).every((each) => each > 0 && each <= 60)).toBe(true)
  })
})
