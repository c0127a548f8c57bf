import { describe, expect, test } from "vitest"
import type { Limit } from "../../src/core/limit.ts"
import type { LimitError } from "../../src/core/limit-error.ts"
import type { Reservation } from "../../src/core/limit-reservation.ts"
import type { Limits, LimitsOptions } from "../../src/limits/index.ts"
import { createTestClock, LIMIT, openLimits, settle, toLimit, toRequest } from "./_gateway.ts"
import { createLeaseModel } from "./_model.ts"

function open(limits: readonly Limit[], options: Partial<LimitsOptions> = {}) {
  const clock = createTestClock()
  const model = createLeaseModel(() => clock.now)
  for (const limit of limits) model.limits.set(limit.id, limit)
  return { clock, model, gateway: openLimits(model, clock, options) }
}

const USAGE = { inputTokens: 10, outputTokens: 20, cost: 1_000, model: "gpt-5" }

async function reserveMany(limits: Limits, count: number, request = () => toRequest()): Promise<Outcomes> {
  const results = await Promise.allSettled(Array.from({ length: count }, async () => limits.reserve(request())))
  return {
    admitted: results.flatMap((each) => (each.status === "fulfilled" && each.value ? [each.value] : [])),
    errors: results.flatMap((each) => (each.status === "rejected" ? [each.reason as LimitError] : [])),
  }
}

interface Outcomes {
  readonly admitted: readonly Reservation[]
  readonly errors: readonly LimitError[]
}

describe("limits", () => {
  test("without a limit, or with none that applies, nothing is reserved", () => {
    const none = open([])
    expect(none.gateway.isEmpty).toBe(true)
    const other = open([toLimit({ key: "key-2" })])
    expect(other.gateway.isEmpty).toBe(false)
    expect(other.gateway.reserve(toRequest())).toBeUndefined()
  })

  test("of requests at the same moment, exactly those that fit are admitted", async () => {
    const { gateway } = open([toLimit({ amount: "10" })])
    const { admitted, errors } = await reserveMany(gateway, 25)
    expect(admitted).toHaveLength(10)
    expect(errors).toHaveLength(15)
    expect(errors[0]).toMatchObject({ code: "limit_exceeded", status: 429, limit: "test", retryAfterSeconds: 1 })
  })

  test("a released request leaves its place to another", async () => {
    const { gateway, clock } = open([toLimit({ amount: "1" })])
    const first = await gateway.reserve(toRequest())
    await expect(Promise.resolve(gateway.reserve(toRequest()))).rejects.toThrow("no room")
    first!.release()
    expect(await gateway.reserve(toRequest())).toBeDefined()
    await clock.advance(0)
  })

  test("what is settled stays counted, before and after its row is in the database", async () => {
    const { gateway, clock, model } = open([toLimit({ amount: "2" })])
    const request = toRequest()
    const reservation = await gateway.reserve(request)
    reservation!.settle(USAGE)
    expect((await reserveMany(gateway, 5)).admitted).toHaveLength(1)
    model.commit({ limitId: LIMIT.id, value: "", createdAt: clock.now, units: 1 })
    gateway.committed([request.id])
    await clock.advance(200)
    expect((await reserveMany(gateway, 5)).admitted).toHaveLength(0)
  })

  test("what is settled is over when the ledger reports that no row waits, although it does not know their ids", async () => {
    const { gateway, clock } = open([toLimit({ amount: "2" })])
    for (const reservation of (await reserveMany(gateway, 2)).admitted) reservation.settle(USAGE)
    expect((await reserveMany(gateway, 2)).admitted).toHaveLength(0)
    gateway.committedAll()
    // The rows were damaged: the database counts nothing, and hears of the smaller lease.
    gateway.tick()
    await clock.advance(2_500)
    gateway.tick()
    await clock.advance(200)
    expect((await reserveMany(gateway, 5)).admitted).toHaveLength(2)
  })

  test("all limits that apply have room, or nothing is reserved in any of them", async () => {
    const wide = toLimit({ amount: "100", name: "wide" })
    const narrow = toLimit({ id: "00000000-0000-4000-8000-000000000002", amount: "1", name: "narrow" })
    const { gateway, clock, model } = open([wide, narrow])
    const { admitted } = await reserveMany(gateway, 20)
    expect(admitted).toHaveLength(1)
    admitted[0]!.release()
    gateway.returnIdle()
    await clock.advance(0)
    expect(model.leased(wide.id, "")).toBe(0)
    expect(model.leased(narrow.id, "")).toBe(0)
  })

  test("a used-up limit names what is used and when it resets; a reserved one says to try again at once", async () => {
    const { gateway, clock, model } = open([toLimit({ amount: "2.5", measure: "cost", name: "budget" })])
    model.commit({ limitId: LIMIT.id, value: "", createdAt: clock.now, units: 2_000_000_000 })
    const need = { cost: 600_000_000 }
    const error = await Promise.resolve(gateway.reserve(toRequest({ need }))).catch((thrown: LimitError) => thrown)
    expect(error).toMatchObject({ limit: "budget", used: "2", amount: "2.5", resetsAt: "2026-11-28T13:00:00.000Z" })
    expect(error).toMatchObject({ retryAfterSeconds: 3600, shouldRetry: false })
    expect((error as Error).message).toMatchInlineSnapshot(
      `"The limit "budget" of 2.5 USD per hour has no room for this request: 2 used, and this request may need 0.6. It resets at 2026-11-28T13:00:00.000Z. Wait until then, or ask your operator to raise it."`,
    )
    await clock.advance(200)
    await gateway.reserve(toRequest({ need: { cost: 400_000_000 } }))
    const second = await Promise.resolve(gateway.reserve(toRequest({ need: { cost: 400_000_000 } }))).catch(
      (thrown: LimitError) => thrown,
    )
    expect(second).toMatchObject({ reserved: "0.4", retryAfterSeconds: 1, shouldRetry: true })
    expect((second as Error).message).toMatchInlineSnapshot(
      `"The limit "budget" of 2.5 USD per hour has no room for this request: 2 used and 0.4 reserved by running requests, and this request may need 0.4. Try again shortly."`,
    )
  })

  test("a busy gateway asks in advance, so that requests rarely wait", async () => {
    const { gateway, clock } = open([toLimit({ amount: "1000000" })])
    let waited = 0
    for (let i = 0; i < 2_000; i++) {
      const answer = gateway.reserve(toRequest())
      if (answer instanceof Promise) waited++
      ;(await answer)!.release()
      if (i % 2 === 0) await clock.advance(1)
    }
    expect(waited).toBeLessThan(15)
  })

  test("what was not needed for some seconds is returned, and its state is forgotten", async () => {
    const { gateway, clock, model } = open([toLimit({ per: "User-Id", amount: "1000" })])
    for (let i = 0; i < 50; i++) {
      const answer = await gateway.reserve(toRequest({ metadata: { "User-Id": "ann" } }))
      answer!.release()
    }
    expect(model.leased(LIMIT.id, "ann")).toBeGreaterThan(0)
    for (let i = 0; i < 60; i++) {
      await clock.advance(250)
      gateway.tick()
    }
    await settle()
    expect(model.leased(LIMIT.id, "ann")).toBe(0)
    expect(gateway.stats()).toMatchObject([
      { limit: { name: "test" }, rejections: 0, usedRatio: undefined, groups: [] },
    ])
  })

  test("its statistics have the groups that have used most, also after their states are forgotten, until the window ends", async () => {
    const { gateway, clock, model } = open([toLimit({ per: "User-Id", amount: "1000" })])
    for (let i = 0; i < 30; i++) {
      const value = `u${String(i).padStart(2, "0")}`
      model.commit({ limitId: LIMIT.id, value, createdAt: clock.now, units: 100 + i })
      const answer = await gateway.reserve(toRequest({ metadata: { "User-Id": value } }))
      answer!.release()
    }
    const read = () => gateway.stats().map(({ usedRatio, groups }) => ({ usedRatio, groups }))
    const before = read()
    expect(before).toMatchObject([{ usedRatio: 0.129, groups: { length: 20, 0: { value: "u29", used: "129" } } }])
    for (let i = 0; i < 60; i++) {
      await clock.advance(250)
      gateway.tick()
    }
    await settle()
    expect(model.leased(LIMIT.id, "u29")).toBe(0)
    expect(read()).toEqual(before)
    await clock.advance(3_600_000)
    expect(read()).toEqual([{ usedRatio: undefined, groups: [] }])
  })
})
