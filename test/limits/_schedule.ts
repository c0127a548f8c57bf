import { expect } from "vitest"
import type { Limit } from "../../src/core/limit.ts"
import { fromUnits, toUnits } from "../../src/core/limit-units.ts"
import { createRandom } from "../support/random-usage.ts"
import { type Process, World, type WorldTable } from "./_world.ts"

export interface Schedule {
  readonly seed: number
  readonly steps: number
  readonly table: WorldTable
  readonly limit: Limit
  /** Whether the limit changes and the database goes away meanwhile. */
  readonly isRough: boolean
  readonly startAt?: number
}

const VALUES = ["ann", "bob"]
const SKEWS_MS = [0, 700, -900]

/**
 * Runs random requests on three gateways, with kills, outages, and a clock that passes the ends of windows. After each step,
 * what is committed, what waits in journals and what running requests may use together stay within the limit.
 */
export async function runSchedule({ seed, steps, table, limit, isRough, startAt }: Schedule): Promise<void> {
  const random = createRandom(seed)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const upTo = (max: number) => 1 + Math.floor(random() * max)
  const world = new World({ table, limit, skewsMs: SKEWS_MS, startAt })
  const values = limit.per === undefined ? [""] : VALUES
  const amount = () => toUnits(world.limit.amount, limit.measure, "down")
  const maxNeed = Math.max(1, Math.floor(amount() / 5))
  const ceilings = new Map(values.map((value) => [value, amount()]))

  const actions: readonly (readonly [weight: number, run: (process: Process) => unknown])[] = [
    [40, (process) => world.request(process, upTo(maxNeed), pick(values))],
    [8, (process) => Promise.all([1, 2, 3, 4].map(() => world.request(process, upTo(maxNeed), pick(values))))],
    [
      25,
      (process) => {
        const request = pick(process.running)
        if (request !== undefined) world.end(process, request, Math.floor(random() * (request.units + 1)))
      },
    ],
    [6, (process) => process.running[0] && world.release(process, process.running[0])],
    [25, (process) => world.write(process, upTo(5))],
    [12, () => world.advance(upTo(3_000))],
    [2, () => world.advance(upTo(60_000))],
    [2, (process) => world.restart(process)],
    [isRough ? 5 : 0, (process) => setDatabase(process, pick(["unreachable", "loses-answers", "delays"] as const))],
    [isRough ? 8 : 0, (process) => setDatabase(process, "up")],
    [isRough ? 4 : 0, () => world.delayed.shift()?.()],
    [isRough ? 2 : 0, () => changeAmount(upTo(amount() * 2))],
  ]
  const weights = actions.reduce((sum, [weight]) => sum + weight, 0)

  function setDatabase(process: Process, state: Process["database"]): void {
    process.database = state
  }

  async function changeAmount(units: number): Promise<void> {
    world.limit = { ...world.limit, amount: fromUnits(units, limit.measure) }
    await table.change(world.limit)
    for (const { limits } of world.processes) limits.replace([world.limit])
    await world.settle()
    for (const value of values) {
      ceilings.set(value, Math.max(ceilings.get(value)!, amount()))
    }
  }

  async function check(step: number): Promise<void> {
    for (const value of values) {
      const demand = await world.demand(value)
      expect(demand, `step ${step} of seed ${seed}`).toBeLessThanOrEqual(ceilings.get(value)!)
      // What was there before the amount was lowered stays, and nothing is added.
      ceilings.set(value, Math.max(amount(), demand))
    }
  }

  for (let step = 0; step < steps; step++) {
    let at = random() * weights
    const [, run] = actions.find(([weight]) => {
      at -= weight
      return at < 0
    })!
    await run(pick(world.processes))
    await world.settle()
    await check(step)
  }

  await comeToRest(world)
  for (const value of values) {
    if (!world.hasGhosts) expect(await table.leased(value), `leases that nobody uses, seed ${seed}`).toBe(0)
    // The first gateway has no skew. A window that has begun by the clock of another one counts too.
    const windows = SKEWS_MS.filter((skewMs) => skewMs >= 0).map((skewMs) => world.clock.now + skewMs)
    const used = Math.max(...(await Promise.all(windows.map((at) => table.used(value, at)))))
    if (used < amount() && !world.hasGhosts) {
      const fits = limit.measure === "requests" || limit.measure === "concurrency" ? 1 : amount() - used
      expect(await world.request(world.processes[0]!, fits, value), `what is left is free, seed ${seed}`).toBe(true)
    }
  }
}

/** Ends all requests, writes all rows, and waits until nothing is idle. */
async function comeToRest(world: World): Promise<void> {
  for (const process of world.processes) {
    process.database = "up"
    while (process.running.length > 0) world.end(process, process.running[0]!, process.running[0]!.units)
  }
  await world.advance(3_000)
  for (const process of world.processes) await world.write(process, Number.POSITIVE_INFINITY)
  await world.advance(10_000)
}
