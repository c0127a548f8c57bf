import type { Limit } from "../../src/core/limit.ts"
import type { LeaseItem, LeaseState } from "../../src/core/limit-lease.ts"
import { fromUnits, toUnits } from "../../src/core/limit-units.ts"

/** A lease table in memory, with the rules of `majordomo_lease`: what the property tests compare the database with. */
export interface LeaseModel {
  readonly limits: Map<string, Limit>
  lease(gateway: string, slot: string, at: number, items: readonly LeaseItem[]): readonly LeaseState[]
  renew(gateway: string): void
  free(gateway: string): void
  /** Returns the gateways with leases of a slot. */
  holders(slot: string): readonly string[]
  /** Counts a row. */
  commit(row: CountedRow): void
  /** Returns what a limit has used in the window of a time, in units. */
  used(limitId: string, value: string, at: number): number
  /** Returns the sum of the live leases, in units. */
  leased(limitId: string, value: string): number
  /** Called when a gateway found no room while others are idle. */
  onReturnWanted: () => void
}

export interface CountedRow {
  readonly limitId: string
  readonly value: string
  readonly createdAt: number
  readonly units: number
}

interface Lease {
  readonly limitId: string
  readonly value: string
  readonly gateway: string
  readonly slot: string
  granted: number
  inUse: number
  expiresAt: number
}

const WINDOW_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }
const LEASE_MS = 15 * 60_000

/** @param now the clock of the database, in milliseconds */
export function createLeaseModel(now: () => number): LeaseModel {
  const limits = new Map<string, Limit>()
  const usage = new Map<string, number>()
  let leases: Lease[] = []

  const startOf = (limit: Limit, at: number) => {
    const length = WINDOW_MS[limit.window]
    return length === undefined ? 0 : at - (at % length)
  }
  const toKey = (limitId: string, value: string, start: number) => JSON.stringify([limitId, value, start])
  const dropExpired = () => {
    leases = leases.filter(({ expiresAt }) => expiresAt > now())
  }
  const of = (limitId: string, value: string) =>
    leases.filter((each) => each.limitId === limitId && each.value === value)

  /** The most that was used in the window of a time or in a later one. */
  function maxUsed(limit: Limit, value: string, at: number): number {
    if (limit.measure === "concurrency") return 0
    const start = startOf(limit, at)
    let most = 0
    for (const [key, units] of usage) {
      const [id, of, from] = JSON.parse(key) as [string, string, number]
      if (id === limit.id && of === value && from >= start) most = Math.max(most, units)
    }
    return most
  }

  const model: LeaseModel = {
    limits,
    onReturnWanted: () => {},
    lease(gateway, slot, at, items) {
      dropExpired()
      return items.flatMap((item) => {
        const limit = limits.get(item.limit)
        if (limit === undefined) return []
        const { measure } = limit
        const units = (text: string) => toUnits(text, measure, "down")
        const others = of(limit.id, item.value).filter((each) => each.gateway !== gateway)
        const othersSum = others.reduce((sum, { granted }) => sum + granted, 0)
        const idle = others.reduce((sum, { granted, inUse }) => sum + Math.max(0, granted - inUse), 0)
        const used = maxUsed(limit, item.value, at)
        const amount = units(limit.amount)
        const holding = units(item.holding)
        const least = units(item.least)
        const free = amount - used - othersSum - holding
        const added = free < least ? 0 : Math.min(units(item.wanted), Math.max(least, Math.floor(free / 8)))
        const granted = holding + added
        leases = leases.filter(
          (each) => each.gateway !== gateway || each.limitId !== limit.id || each.value !== item.value,
        )
        if (granted > 0) {
          const inUse = units(item.in_use)
          const expiresAt = now() + LEASE_MS
          leases.push({ limitId: limit.id, value: item.value, gateway, slot, granted, inUse, expiresAt })
        }
        if (least > 0 && added === 0 && idle > 0) model.onReturnWanted()
        const length = WINDOW_MS[limit.window]
        const windowStart = startOf(limit, at)
        return {
          limit: limit.id,
          value: item.value,
          granted: fromUnits(granted, measure),
          used: fromUnits(used, measure),
          leased: fromUnits(othersSum + granted, measure),
          idle: fromUnits(idle, measure),
          amount: limit.amount,
          windowStart,
          windowEnd: length === undefined ? undefined : windowStart + length,
        }
      })
    },
    renew(gateway) {
      dropExpired()
      for (const each of leases) if (each.gateway === gateway) each.expiresAt = now() + LEASE_MS
    },
    free(gateway) {
      leases = leases.filter((each) => each.gateway !== gateway)
    },
    holders: (slot) => [...new Set(leases.filter((each) => each.slot === slot).map(({ gateway }) => gateway))],
    commit({ limitId, value, createdAt, units }) {
      const limit = limits.get(limitId)
      if (limit === undefined || limit.measure === "concurrency") return
      const key = toKey(limitId, value, startOf(limit, createdAt))
      usage.set(key, (usage.get(key) ?? 0) + units)
    },
    used: (limitId, value, at) => usage.get(toKey(limitId, value, startOf(limits.get(limitId)!, at))) ?? 0,
    leased(limitId, value) {
      dropExpired()
      return of(limitId, value).reduce((sum, { granted }) => sum + granted, 0)
    },
  }
  return model
}
