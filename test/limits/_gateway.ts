import { randomUUID } from "node:crypto"
import type { Limit } from "../../src/core/limit.ts"
import type { Estimate, LimitedRequest } from "../../src/core/limit-reservation.ts"
import { createLimits, type Limits, type LimitsOptions } from "../../src/limits/index.ts"
import type { LeaseModel } from "./_model.ts"

/** A clock that tests move. */
export interface TestClock {
  now: number
  /** Runs what is due in order, and lets promises settle in between. */
  advance(ms: number): Promise<void>
  after(ms: number, run: () => void): void
}

export function createTestClock(start = Date.UTC(2026, 10, 28, 12)): TestClock {
  let timers: { readonly at: number; readonly run: () => void }[] = []
  const clock: TestClock = {
    now: start,
    after: (ms, run) => void timers.push({ at: clock.now + ms, run }),
    async advance(ms) {
      const end = clock.now + ms
      for (;;) {
        await settle()
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((each) => each !== next)
        clock.now = next.at
        next.run()
      }
      clock.now = end
      await settle()
    },
  }
  return clock
}

/** Lets everything run that waits for promises only. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

export const LIMIT: Limit = {
  id: "00000000-0000-4000-8000-000000000001",
  name: "test",
  measure: "requests",
  amount: "10",
  window: "hour",
  tz: "UTC",
  action: "block",
  notifyAt: [],
  estimate: "maximum",
  unpriced: "allow",
  source: "database",
}

/** Returns a limit of requests per hour, with changes. */
export function toLimit(changes: Partial<Limit>): Limit {
  return { ...LIMIT, ...changes }
}

const ESTIMATE: Estimate = { inputTokens: 10, outputTokens: 20, cost: 1_000 }

export function toRequest(
  changes: Partial<LimitedRequest> & { readonly need?: Partial<Estimate> } = {},
): LimitedRequest {
  const { need, ...rest } = changes
  return {
    id: randomUUID(),
    keyId: "key-1",
    provider: "openai",
    requestedModel: "gpt-5",
    metadata: {},
    isFree: false,
    isSubscribed: false,
    estimate: () => ({ ...ESTIMATE, ...need }),
    ...rest,
  }
}

/** Limits over a lease table in memory. */
export function openLimits(
  model: LeaseModel,
  clock: TestClock,
  options: Partial<LimitsOptions> & { readonly slot?: string; readonly limits?: readonly Limit[] } = {},
): Limits {
  const { slot = "host:1", limits = [...model.limits.values()], ...rest } = options
  const opened = createLimits({
    table: {
      lease: async (gateway, at, items) => model.lease(gateway, slot, at, items),
      renew: async (gateway) => model.renew(gateway),
      free: async (gateway) => model.free(gateway),
    },
    newGatewayId: randomUUID,
    now: () => clock.now,
    wallClock: () => clock.now,
    after: clock.after,
    warn: () => {},
    onThreshold: () => {},
    whenUnavailable: "allow",
    ...rest,
  })
  opened.replace(limits)
  return opened
}
