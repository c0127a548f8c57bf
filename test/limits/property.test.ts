import { describe, test } from "vitest"
import type { Limit, LimitMeasure } from "../../src/core/limit.ts"
import { fromUnits } from "../../src/core/limit-units.ts"
import { toLimit } from "./_gateway.ts"
import { createLeaseModel } from "./_model.ts"
import { runSchedule } from "./_schedule.ts"
import type { WorldTable } from "./_world.ts"

/** Rounds of the random tests: more of them by LIMITS_ROUNDS. */
const ROUNDS = Number(process.env["LIMITS_ROUNDS"] ?? 12)

function createModelTable(limit: Limit): WorldTable {
  const model = createLeaseModel(() => 0)
  model.limits.set(limit.id, limit)
  return {
    lease: async (...args: Parameters<typeof model.lease>) => model.lease(...args),
    renew: async (gateway: string) => model.renew(gateway),
    free: async (gateway: string) => model.free(gateway),
    holders: async (slot: string) => model.holders(slot),
    write: async (rows: Parameters<WorldTable["write"]>[0]) => {
      for (const row of rows) model.commit({ ...row, limitId: limit.id })
    },
    used: async (value: string, at: number) => model.used(limit.id, value, at),
    leased: async (value: string) => model.leased(limit.id, value),
    change: async (changed: Limit) => void model.limits.set(changed.id, changed),
    watchReturns: (onWanted: () => void) => {
      model.onReturnWanted = () => queueMicrotask(onWanted)
    },
  }
}

const CASES: readonly (readonly [LimitMeasure, number, string | undefined])[] = [
  ["requests", 20, undefined],
  ["input_tokens", 500, undefined],
  ["cost", 2_000_000, "User-Id"],
  ["concurrency", 6, undefined],
  ["cost", 7, undefined],
]

describe("three gateways with random requests", () => {
  for (const [measure, units, per] of CASES) {
    for (const isRough of [false, true]) {
      const title = `${units} units of ${measure}${per === undefined ? "" : ` per ${per}`}`
      test(`never exceed ${title}, and leave nothing reserved${isRough ? ", with outages and changes" : ""}`, async () => {
        for (let seed = 1; seed <= ROUNDS; seed++) {
          const limit = toLimit({ measure, amount: fromUnits(units, measure), window: "minute", per })
          const table = createModelTable(limit)
          await runSchedule({ seed, steps: 150, table, limit, isRough })
        }
      })
    }
  }
})
