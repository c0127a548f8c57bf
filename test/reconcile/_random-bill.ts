import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { BillLine, Bucket, RecordedSide } from "../../src/core/reconciliation.ts"
import { createRandom, KEYS, makePlants, makeSlots, type Slot } from "./_random-traffic.ts"
import { aliasOf, billOf, costOf, RATES, type Recorded, rateOf, record, toBill, toSide } from "./_traffic.ts"

/** The details that a bill can lack. Its usage always says the model and the tier. */
export const FORMS = [
  "whole",
  "separate",
  "no keys in costs",
  "no tiers in costs",
  "no keys",
  "no buckets in costs",
] as const
export type Form = (typeof FORMS)[number]

export interface Case {
  readonly form: Form
  readonly bill: ReturnType<typeof toBill>
  readonly recorded: RecordedSide
  readonly keys: ReadonlyMap<string, string>
  /** USD by cause, day, model and, for tokens and prices, bucket. */
  readonly expected: ReadonlyMap<string, bigint>
}

/** Makes random traffic, the bill that a provider computes from it, and differences of all causes with known amounts. */
export function makeCase(seed: number): Case {
  const random = createRandom(seed)
  const form: Form = FORMS[seed % FORMS.length]!
  const side: Recorded = { lines: [], requests: [] }
  const expected = new Map<string, bigint>()
  const add = (key: string, amount: bigint) => {
    if (amount !== 0n) expected.set(key, (expected.get(key) ?? 0n) + amount)
  }
  const slots = makeSlots(random)
  const extra: BillLine[] = []
  makePlants({ random, hasKeys: form !== "no keys", slots, side, extra, add })
  // Which bucket has another price cannot be told from the cost of all buckets.
  const times = makeTimes(form === "no buckets in costs" ? () => 1 : random)
  const shares = makeShares(random)
  for (const slot of slots) {
    recordSlot(slot, side)
    expectSlot(slot, { times, share: shares(slot), add })
  }
  const lines = slots.flatMap((slot) => toLines(slot, { times, share: shares(slot) }))
  const keys = new Map(random(2) === 0 ? KEYS.map((key) => [key, aliasOf(key)]) : [])
  return {
    form,
    bill: toBill([...lines.flatMap((line) => inForm(line, form)), ...extra]),
    recorded: toSide(side),
    keys,
    expected,
  }
}

/** By how much the provider's rate of a bucket is higher than the recorded one. */
type Times = (slot: Slot, bucket: string) => bigint

function makeTimes(random: (below: number) => number): Times {
  const prices = Object.entries(RATES).flatMap(([model, rates]) => {
    const buckets = Object.keys(rates)
    const price = { model, bucket: buckets[random(buckets.length)], from: 1 + random(7), times: BigInt(2 + random(2)) }
    return random(3) === 0 ? [price] : []
  })
  return ({ model, day }, bucket) =>
    prices.find((each) => each.model === model && each.bucket === bucket && dayOf(day) >= each.from)?.times ?? 1n
}

const dayOf = (day: string) => Number(day.slice(-2))

/** The part of the list price that the provider charges, in percent. */
function makeShares(random: (below: number) => number): (slot: Slot) => bigint {
  const from = new Map(Object.keys(RATES).map((model) => [model, random(4) === 0 ? 1 + random(7) : 99]))
  return ({ model, day }) => (dayOf(day) >= from.get(model)! ? 75n : 100n)
}

interface Billing {
  readonly times: Times
  readonly share: bigint
}

function recordSlot(
  { recordedDay: day, began, estimated, unmetered, recordedRequests, recorded, ...names }: Slot,
  side: Recorded,
) {
  if (Object.keys(recorded).length > 0)
    record(side, { ...names, day, requests: recordedRequests, tokens: recorded }, { began })
  if (estimated !== undefined) record(side, { ...names, day, ...estimated }, { kind: "estimated" })
  if (unmetered !== undefined) record(side, { ...names, day, tokens: {}, requests: unmetered.requests }, unmetered)
}

/** Adds what the comparison has to find for a slot. */
function expectSlot(
  slot: Slot,
  { times, share, add }: Billing & { readonly add: (key: string, amount: bigint) => void },
) {
  const { day, model, tier, billed, recorded, estimated, cause } = slot
  for (const bucket of new Set([...Object.keys(billed), ...Object.keys(recorded)]) as Set<Bucket>) {
    const used = (recorded[bucket] ?? 0) + (estimated?.tokens[bucket] ?? 0)
    const other = (billed[bucket] ?? 0) - used
    const rate = rateOf(model, tier, bucket)
    const factor = times(slot, bucket)
    // Tokens that only the records have are not billed at any rate, so they are valued at the recorded one.
    const value = other < 0 ? -costOf(-other, rate) : costOf(other, rate) * factor
    add([cause, day, model, ...(cause === "tokens" ? [bucket] : [])].join(" "), value)
    add(`price ${day} ${model} ${bucket}`, costOf(Math.min(used, billed[bucket] ?? 0), rate) * (factor - 1n))
    add(`discount ${day} ${model}`, (costOf(billed[bucket] ?? 0, rate) * factor * (share - 100n)) / 100n)
  }
}

function toLines(slot: Slot, { times, share }: Billing): BillLine[] {
  return billOf({ ...slot, tokens: slot.billed }).map((line) => {
    const list = parseDecimal(line.cost!) * times(slot, line.bucket)
    const discounted = { listCost: formatDecimal(list), cost: formatDecimal((list * share) / 100n) }
    return { ...line, ...(share === 100n ? { cost: discounted.cost } : discounted) }
  })
}

/** Splits a line into usage and cost, and removes what the form lacks. */
function inForm(line: BillLine, form: Form): BillLine[] {
  if (form === "whole") return [line]
  if (form === "no keys") return [{ ...line, key: undefined }]
  const usage = { ...line, cost: undefined, listCost: undefined }
  const cost = { ...line, quantity: undefined, requests: undefined }
  if (form === "no keys in costs") return [usage, { ...cost, key: undefined, project: "project" }]
  if (form === "no tiers in costs") return [usage, { ...cost, tier: undefined }]
  if (form === "no buckets in costs") return [usage, { ...cost, bucket: "all" }]
  return [usage, cost]
}
