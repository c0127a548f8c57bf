import { expect, test } from "vitest"
import { type Limit, toHeaderName } from "../../src/core/limit.ts"
import type { LimitError } from "../../src/core/limit-error.ts"
import type { Estimate, LimitedRequest, LimitUsage, Reservation } from "../../src/core/limit-reservation.ts"
import { fromUnits } from "../../src/core/limit-units.ts"
import type { LimitsOptions } from "../../src/limits/index.ts"
import { createRandom } from "../support/random-usage.ts"
import { createTestClock, openLimits, settle, toLimit, toRequest } from "./_gateway.ts"
import { createLeaseModel } from "./_model.ts"

type Random = ReturnType<typeof createRandom>

/** More of them by LIMITS_ROUNDS. */
const ROUNDS = Number(process.env["LIMITS_ROUNDS"] ?? 60)
const STEPS = 60
/** Far more than all requests use, in units. */
const AMOUNT = 1_000_000_000_000

/** Returns one of the values, or undefined as often as each of them. */
function maybe<T>(random: Random, values: readonly T[]): T | undefined {
  return values[Math.floor(random() * (values.length + 1))]
}

function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!
}

const MEASURES = ["cost", "requests", "input_tokens", "output_tokens", "tokens", "concurrency"] as const
const KEYS = ["key-1", "key-2"]
const PROVIDERS = ["openai", "anthropic"]
const MODELS = ["gpt-5", "gpt-5-mini", "claude-4", ""]

function randomLimit(random: Random, number: number): Limit {
  const measure = oneOf(random, MEASURES)
  const team = maybe(random, ["search", "s*", "*"])
  return toLimit({
    id: `00000000-0000-4000-8000-0000000000${10 + number}`,
    name: `limit ${number} ä=`,
    measure,
    amount: fromUnits(AMOUNT, measure),
    action: oneOf(random, ["block", "block", "block", "warn"]),
    estimate: oneOf(random, ["expected", "maximum"]),
    unpriced: oneOf(random, ["allow", "allow", "allow", "allow", "block"]),
    key: maybe(random, KEYS),
    provider: maybe(random, ["OpenAI", "anthropic"]),
    model: maybe(random, ["gpt-5", "gpt-5*", "claude*", "*"]),
    where: team === undefined ? undefined : { Team: team },
    per: maybe(random, ["key", "model", "User-Id"]),
  })
}

type Estimates = Readonly<Record<"expected" | "maximum", Estimate>>

function randomEstimate(random: Random): Estimate {
  const tokens = () => Math.floor(random() * 1000)
  const cost = maybe(random, [0, 1, 3_500_000, 123_456_789, 4_000_000_000])
  return { inputTokens: tokens(), outputTokens: tokens(), cost }
}

function randomRequest(random: Random): { request: LimitedRequest; estimates: Estimates } {
  const estimates = { expected: randomEstimate(random), maximum: randomEstimate(random) }
  const team = maybe(random, ["search", "sales", "x"])
  const user = maybe(random, ["ann", "bob", "\u0000\ud800", "\u{1f600}".repeat(300)])
  const request = toRequest({
    keyId: oneOf(random, KEYS),
    provider: oneOf(random, PROVIDERS),
    requestedModel: oneOf(random, MODELS),
    metadata: { ...(team !== undefined && { Team: team }), ...(user !== undefined && { "User-Id": user }) },
    isFree: random() < 0.1,
    isSubscribed: random() < 0.1,
    estimate: (kind) => estimates[kind],
  })
  return { request, estimates }
}

function plainlyMeets(pattern: string | undefined, ...values: (string | undefined)[]): boolean {
  if (pattern === undefined) return true
  const isMet = (value: string) => (pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern)
  return values.some((value) => value !== undefined && isMet(value))
}

function plainlyApplies(limit: Limit, request: LimitedRequest, model: string): boolean {
  return (
    plainlyMeets(limit.key, request.keyId) &&
    (limit.provider === undefined || limit.provider.toLowerCase() === request.provider) &&
    plainlyMeets(limit.model, request.requestedModel, model) &&
    Object.entries(limit.where ?? {}).every(([name, pattern]) => plainlyMeets(pattern, request.metadata[name]))
  )
}

function plainGroup({ per }: Limit, request: LimitedRequest, model: string): string {
  if (per === undefined) return ""
  const value = per === "key" ? request.keyId : per === "model" ? model : (request.metadata[per] ?? "")
  return [...value]
    .slice(0, 255)
    .join("")
    .replaceAll(/\0|\p{Surrogate}/gu, "\ufffd")
}

/** Returns what something uses of a limit, in units; undefined: its price is not known. */
function plainUse({ measure }: Limit, request: LimitedRequest, use: Estimate): bigint | undefined {
  if (measure === "requests" || measure === "concurrency") return 1n
  if (request.isFree || (measure === "cost" && request.isSubscribed)) return 0n
  const { inputTokens, outputTokens, cost } = use
  const tokens = { input_tokens: inputTokens, output_tokens: outputTokens, tokens: inputTokens + outputTokens, cost }
  const found = tokens[measure]
  return found === undefined ? undefined : BigInt(found)
}

interface Held {
  readonly limit: Limit
  readonly value: string
  units: bigint
}

/** The limits as one would write them down: each group is added up again for each question, and nothing is prepared. */
class PlainLimits {
  private readonly limits: readonly Limit[]
  private readonly answeredBy = new Map<string, string>()
  private readonly running = new Map<LimitedRequest, readonly Held[]>()
  private readonly committed: Held[] = []

  constructor(limits: readonly Limit[]) {
    // Of two limits that have the same left, a gateway names one of all keys.
    this.limits = limits.toSorted((a, b) => Number(a.key !== undefined) - Number(b.key !== undefined))
  }

  /** Returns false if a limit that applies rejects models without a price. */
  reserve(request: LimitedRequest, estimates: Estimates): boolean {
    const { provider, requestedModel } = request
    const model = this.answeredBy.get(`${provider} ${requestedModel}`) ?? requestedModel
    const held: Held[] = []
    for (const limit of this.limits) {
      if (!plainlyApplies(limit, request, model)) continue
      const need = limit.action === "warn" ? 0n : plainUse(limit, request, estimates[limit.estimate])
      if (need === undefined && limit.unpriced === "block") return false
      held.push({ limit, value: plainGroup(limit, request, model), units: need ?? 0n })
    }
    this.running.set(request, held)
    return true
  }

  extend(request: LimitedRequest, use: Estimate): void {
    for (const held of this.blocking(request)) {
      const used = plainUse(held.limit, request, use) ?? 0n
      if (used > held.units) held.units = used
    }
  }

  settle(request: LimitedRequest, use: LimitUsage): void {
    const { provider, requestedModel } = request
    if (use.model !== "") this.answeredBy.set(`${provider} ${requestedModel}`, use.model)
    for (const held of this.blocking(request)) {
      held.units = held.limit.measure === "concurrency" ? 0n : (plainUse(held.limit, request, use) ?? 0n)
    }
  }

  release(request: LimitedRequest): void {
    this.running.delete(request)
  }

  /** Returns what the row of a request has used. */
  commit(request: LimitedRequest): readonly Held[] {
    const held = this.running.get(request) ?? []
    this.committed.push(...held)
    this.running.delete(request)
    return held
  }

  /** Returns what running requests, and rows that are not in the database, hold of each limit and group. */
  inUse(): ReadonlyMap<string, string> {
    const sums = new Map<string, bigint>()
    for (const { limit, value, units } of [...this.running.values()].flat()) {
      const group = `${limit.id} ${value}`
      sums.set(group, (sums.get(group) ?? 0n) + units)
    }
    return new Map([...sums].filter(([, units]) => units > 0n).map(([group, units]) => [group, String(units)]))
  }

  /** Returns what the tightest limit of a request has left: its name and the units. */
  remaining(request: LimitedRequest): { limit: Limit; left: bigint } | undefined {
    const all = [...this.running.values()].flat().concat(this.committed)
    let tightest: { limit: Limit; left: bigint } | undefined
    for (const { limit, value } of this.blocking(request)) {
      const same = all.filter((each) => each.limit === limit && each.value === value)
      const left = same.reduce((rest, { units }) => rest - units, BigInt(AMOUNT))
      if (tightest === undefined || left < tightest.left) tightest = { limit, left }
    }
    return tightest
  }

  private blocking(request: LimitedRequest): readonly Held[] {
    return (this.running.get(request) ?? []).filter(({ limit }) => limit.action === "block")
  }
}

/** Returns an amount of units as text, by dividing whole numbers. */
function plainText(units: bigint, { measure }: Limit): string {
  if (measure !== "cost") return String(units)
  const fraction = String(units % 1_000_000_000n).padStart(9, "0")
  return `${units / 1_000_000_000n}.${fraction}`.replace(/\.?0+$/, "")
}

interface Running {
  readonly request: LimitedRequest
  readonly reservation: Reservation
}

/** Runs random requests through the limits of a gateway and through the plain ones, and compares them after each step. */
async function compare(seed: number): Promise<void> {
  const random = createRandom(seed)
  const limits = Array.from({ length: 1 + Math.floor(random() * 12) }, (_, i) => randomLimit(random, i))
  const clock = createTestClock()
  const model = createLeaseModel(() => clock.now)
  for (const limit of limits) model.limits.set(limit.id, limit)
  const told = new Map<string, string>()
  const lease: LimitsOptions["table"]["lease"] = async (id, at, items) => {
    for (const { limit, value, in_use } of items) told.set(`${limit} ${value}`, in_use)
    return model.lease(id, "host:1", at, items)
  }
  const gateway = openLimits(model, clock, {
    table: { lease, renew: async (id) => model.renew(id), free: async (id) => model.free(id) },
  })
  const plain = new PlainLimits(limits)
  const running: Running[] = []
  const settled: LimitedRequest[] = []

  const begin = async () => {
    const { request, estimates } = randomRequest(random)
    const isAdmitted = plain.reserve(request, estimates)
    const found = await Promise.resolve()
      .then(() => gateway.reserve(request))
      .catch((error: LimitError) => error.code)
    if (!isAdmitted) expect(found).toBe("unpriced_model")
    else if (typeof found === "object") running.push({ request, reservation: found })
    else expect([found, plain.commit(request)]).toEqual([undefined, []])
  }
  const end = ({ request, reservation }: Running) => {
    const left = plain.remaining(request)
    const text = left && `${toHeaderName(left.limit.name)}=${plainText(left.left, left.limit)}`
    expect(reservation.remaining()).toBe(text)
    const use = randomEstimate(random)
    if (random() < 0.2) {
      plain.extend(request, use)
      return reservation.extend(use)
    }
    running.splice(
      running.findIndex((each) => each.request === request),
      1,
    )
    if (random() < 0.2) {
      plain.release(request)
      return reservation.release()
    }
    const usage = { ...use, model: oneOf(random, ["gpt-5-2026", "claude-4-1", ""]) }
    plain.settle(request, usage)
    reservation.settle(usage)
    settled.push(request)
  }
  const write = () => {
    const rows = settled.splice(0, 1 + Math.floor(random() * 4))
    for (const { limit, value, units } of rows.flatMap((request) => plain.commit(request)))
      model.commit({ limitId: limit.id, value, createdAt: clock.now, units: Number(units) })
    gateway.committed(rows.map(({ id }) => id))
  }

  for (let step = 0; step < STEPS; step++) {
    const what = random()
    if (what < 0.45) await begin()
    else if (what < 0.85 && running.length > 0) end(oneOf(random, running))
    else if (what < 0.95) write()
    else gateway.tick()
    await settle() // no statement is on its way, whose answer would be older than what is written next
  }
  told.clear()
  await gateway.close()
  expect(new Map([...told].filter(([, units]) => units !== "0"))).toEqual(toTexts(plain.inUse(), limits))
}

/** Returns amounts as the statement of a lease has them. */
function toTexts(units: ReadonlyMap<string, string>, limits: readonly Limit[]): Map<string, string> {
  const limitOf = (group: string) => limits.find(({ id }) => group.startsWith(`${id} `))!
  return new Map([...units].map(([group, each]) => [group, plainText(BigInt(each), limitOf(group))]))
}

test("random requests and limits: what is reserved, used and left is what a plain addition of all requests gives", async () => {
  for (let seed = 1; seed <= ROUNDS; seed++) await compare(seed)
})
