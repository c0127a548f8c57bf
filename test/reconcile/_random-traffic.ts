import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { BillLine } from "../../src/core/reconciliation.ts"
import { aliasOf, RATES, type Recorded } from "./_traffic.ts"

export type Random = (below: number) => number

export function createRandom(seed: number): Random {
  let state = seed * 7919 + 1
  return (below) => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}

type Tokens = Record<string, number>

/** Requests of a key, a model and a tier, as billed on a day and as recorded. */
export interface Slot {
  readonly day: string
  readonly key: string
  readonly model: string
  readonly tier: string
  readonly recordedDay: string
  readonly began: string
  /** The requests that the provider counts. */
  requests: number
  recordedRequests: number
  billed: Tokens
  recorded: Tokens
  estimated?: { readonly requests: number; readonly tokens: Tokens }
  unmetered?: { readonly requests: number; readonly kind: "cut_off" | "failed" | "unreported" | "pending" }
  /** Why both sides differ. */
  cause: string
  isPlanted: boolean
}

export const KEYS = ["key_a", "key_b"]
const DAYS = Array.from({ length: 7 }, (_, at) => `2026-11-0${at + 1}`)
const MODELS = Object.keys(RATES)

export function makeSlots(random: Random): Slot[] {
  const names = DAYS.flatMap((day) =>
    KEYS.flatMap((key) => MODELS.flatMap((model) => ["standard", "batch"].map((tier) => ({ day, key, model, tier })))),
  )
  return names.filter(() => random(10) < 8).map((each) => makeSlot(random, each))
}

function makeSlot(random: Random, names: Pick<Slot, "day" | "key" | "model" | "tier">): Slot {
  const tokens = makeTokens(random, names.model)
  const requests = 10 + random(90)
  return {
    ...names,
    ...{ recordedDay: names.day, began: names.day, requests, recordedRequests: requests },
    ...{ billed: { ...tokens }, recorded: { ...tokens }, cause: "none", isPlanted: false },
  }
}

function makeTokens(random: Random, model: string): Tokens {
  return Object.fromEntries(Object.keys(RATES[model]!).map((bucket) => [bucket, 1 + random(2_000_000)]))
}

export interface World {
  readonly random: Random
  readonly hasKeys: boolean
  readonly slots: Slot[]
  readonly side: Recorded
  /** Lines of the bill that are about no model. */
  readonly extra: BillLine[]
  /** Adds an expected amount. */
  readonly add: (key: string, amount: bigint) => void
}

/** Plants up to two differences of each kind. Two kinds are never planted in the same requests (README of the room). */
export function makePlants(world: World): void {
  for (const plant of [...SLOT_PLANTS, ...OTHER_PLANTS]) {
    for (let count = world.random(3); count > 0; count--) plant(world)
  }
}

/** Returns a slot without a plant near it: the bill may not tell keys apart, and tokens may be moved between days. */
function takeFree({ slots, random }: World): Slot | undefined {
  const at = (slot: Slot) => DAYS.indexOf(slot.day)
  const isNear = (a: Slot, b: Slot) => a.model === b.model && a.tier === b.tier && Math.abs(at(a) - at(b)) <= 1
  const open = slots.filter((slot) => !slots.some((other) => other.isPlanted && isNear(slot, other)))
  const slot = open[random(open.length)]
  if (slot !== undefined) slot.isPlanted = true
  return slot
}

function addTokens(tokens: Tokens, more: Tokens): Tokens {
  return Object.fromEntries(Object.entries(tokens).map(([bucket, count]) => [bucket, count + (more[bucket] ?? 0)]))
}

type PlantInSlot = (slot: Slot, world: World) => void

const inSlot =
  (plant: PlantInSlot) =>
  (world: World): void => {
    const slot = takeFree(world)
    if (slot !== undefined) plant(slot, world)
  }

const SLOT_PLANTS = [
  inSlot(function requestsOutside(slot, { random }) {
    slot.cause = "outside"
    slot.requests += 1 + random(5)
    slot.billed = addTokens(slot.billed, makeTokens(random, slot.model))
  }),
  inSlot(function unmetered(slot, { random }) {
    // The tier of a request without an answer is not known, and counts as the standard one.
    if (slot.tier !== "standard") return
    const kind = (["cut_off", "failed", "unreported", "pending"] as const)[random(4)]!
    slot.cause = "unmetered"
    slot.unmetered = { requests: 3, kind }
    slot.requests += 1 + random(3)
    slot.billed = addTokens(slot.billed, makeTokens(random, slot.model))
  }),
  inSlot(function estimated(slot, { random }) {
    slot.cause = "estimated"
    slot.estimated = { requests: 4, tokens: { input: 1 + random(5000), output: 1 + random(5000) } }
    slot.requests += 4
    slot.billed = addTokens(slot.billed, { input: 1 + random(5000), output: 1 + random(5000) })
  }),
  inSlot(function tokens(slot, { random }) {
    slot.cause = "tokens"
    const buckets = Object.keys(slot.billed)
    const bucket = buckets[random(buckets.length)]!
    const change = random(2) === 0 ? 1 + random(50_000) : -random(Math.min(slot.billed[bucket]!, 900))
    slot.billed = addTokens(slot.billed, { [bucket]: change })
  }),
  inSlot(function missing(slot) {
    slot.cause = "unexplained"
    slot.requests = 0
    slot.billed = {}
  }),
  inSlot(function acrossMidnight(slot, world) {
    plantOnDayBefore(slot, world, (before) => before)
  }),
  inSlot(function countedOnOtherDay(slot, world) {
    plantOnDayBefore(slot, world, () => slot.day)
  }),
]

/** Adds requests that are recorded on the day of a slot and billed on the day before. */
function plantOnDayBefore(slot: Slot, { random, slots }: World, beganOf: (before: string) => string): void {
  const before = DAYS[DAYS.indexOf(slot.day) - 1]
  if (before === undefined) return
  const late = makeSlot(random, { ...slot, day: before })
  slots.push({ ...late, recordedDay: slot.day, began: beganOf(before), isPlanted: true })
}

const cents = (count: number) => BigInt(count) * 10n ** 16n

const OTHER_PLANTS: readonly ((world: World) => void)[] = [
  function keyOutside({ random, hasKeys, slots }) {
    const names = { day: DAYS[random(7)]!, key: "key_outside", model: MODELS[random(MODELS.length)]!, tier: "standard" }
    if (
      !hasKeys ||
      slots.some(({ key, day, model }) => key === names.key && day === names.day && model === names.model)
    )
      return
    slots.push({ ...makeSlot(random, names), recorded: {}, cause: "outside", isPlanted: true })
  },
  function fee({ random, add, extra, side }) {
    const day = DAYS[random(7)]!
    if (extra.some((line) => line.day === day && line.bucket === "tool")) return
    const [known, billed] = [10 + random(50), 10 + random(50)]
    side.lines.push({
      ...{ day, began: day, model: MODELS[0]!, tier: undefined, credential: aliasOf(KEYS[0]!), kind: "metered" },
      ...{
        bucket: "tool",
        quantity: String(known),
        per: "one",
        rate: "0.01",
        discount: "1",
        cost: formatDecimal(cents(known)),
      },
      ...{ source: "majordomo", date: undefined },
    })
    extra.push(toExtra({ day, bucket: "tool", item: "web search", cost: formatDecimal(cents(billed)) }))
    add(`fees ${day} undefined`, cents(billed - known))
  },
  function creditOrTax({ random, add, extra }) {
    const day = DAYS[random(7)]!
    const bucket = random(2) === 0 ? "credit" : "tax"
    const amount = cents(1 + random(500)) * (bucket === "credit" ? -1n : 1n)
    extra.push(toExtra({ day, bucket, item: bucket, cost: formatDecimal(amount) }))
    add(`discount ${day} undefined`, amount)
  },
  function unknownItem({ random, add, extra }) {
    const day = DAYS[random(7)]!
    const amount = parseDecimal("0.123456") * BigInt(1 + random(99))
    extra.push(toExtra({ day, bucket: "other", item: "capacity", cost: formatDecimal(amount) }))
    add(`unexplained ${day} undefined`, amount)
  },
]

function toExtra(of: Pick<BillLine, "day" | "bucket" | "item" | "cost">): BillLine {
  return {
    ...of,
    ...{ model: undefined, tier: undefined, key: undefined, project: undefined },
    ...{ requests: undefined, quantity: undefined, listCost: undefined },
  }
}
