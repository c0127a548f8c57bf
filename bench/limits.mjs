// npm run bench -- limits
// Measures the CPU that limits add to a request: to read its size and estimate it, reserve, settle and commit, with 0, 1 and
// 10 limits that apply. The lease
// table is in memory and always has room, as for a busy gateway far from its limits. Rounds alternate, and the minimum of
// each counts, because noise only adds. Fails above the goal with ten limits.
import "./_typescript.mjs"
import { loadavg } from "node:os"

/** The goal with ten limits, in us. */
const GOAL_US = 5
const ROUNDS = 9
const REQUESTS = 20_000
/** Rows are committed in batches, as the ledger writes them. */
const BATCH = 200

const { createLimits } = await import("../src/limits/index.ts")
const { Estimator } = await import("../src/gateway/limits/estimator.ts")
const { openai } = await import("../src/providers/openai/index.ts")

/** @param {number} count */
function makeLimits(count) {
  const measures = /** @type {const} */ (["cost", "requests", "tokens", "output_tokens", "concurrency"])
  return Array.from({ length: count }, (_, i) => ({
    id: `00000000-0000-4000-8000-00000000000${i}`,
    name: `limit ${i}`,
    measure: measures[i % measures.length] ?? "cost",
    amount: "1000000000",
    window: /** @type {const} */ ("month"),
    tz: "UTC",
    action: /** @type {const} */ ("block"),
    notifyAt: [80, 100],
    estimate: /** @type {const} */ ("expected"),
    unpriced: /** @type {const} */ ("allow"),
    source: /** @type {const} */ ("database"),
    ...(i % 3 === 0 && { where: { Team: "search" } }),
    ...(i % 3 === 1 && { model: "gpt-5*" }),
    ...(i % 3 === 2 && { per: "User-Id" }),
    ...(i === 4 && { key: "key-1" }),
  }))
}

/** @param {number} count the number of limits */
function openGateway(count) {
  const limits = createLimits({
    table: {
      lease: async (_gateway, _at, items) =>
        items.map(({ limit, value, holding, wanted }) => {
          // Chunks are as large as the gateway wants them, so that nearly all requests are served from memory.
          const granted = String(Number(holding) + Math.max(Number(wanted), 1_000))
          const times = { windowStart: 0, windowEnd: undefined }
          return { limit, value, granted, used: "0", leased: granted, idle: "0", amount: "1000000000", ...times }
        }),
      renew: async () => {},
      free: async () => {},
    },
    newGatewayId: () => crypto.randomUUID(),
    now: () => performance.now(),
    wallClock: Date.now,
    after: (ms, run) => void setTimeout(run, ms),
    warn: () => {},
    onThreshold: () => {},
    whenUnavailable: "allow",
  })
  limits.replace(makeLimits(count))
  return limits
}

const body = Buffer.from(
  JSON.stringify({
    model: "gpt-5",
    messages: [{ role: "user", content: "Tell me a story. ".repeat(8) }],
    max_tokens: 300,
  }),
)
// The parts of a request that are read, and prices that are known, as they are for all requests but the first of a model.
const estimator = new Estimator(
  /** @type {any} */ ({
    price: () => ({ totalCost: "2.5" }),
    boundsOf: () => ({ context: 400_000, output: 128_000 }),
    pricesVersion: () => 1,
  }),
)
const proxied = /** @type {any} */ ({
  call: { receivedAt: Date.now(), headers: { "content-type": "application/json" }, body },
  caller: { keyId: "key-1" },
  route: { provider: { name: "openai" } },
  prepared: { requestedModel: "gpt-5" },
  providerRequest: { method: "POST", path: "/v1/chat/completions", body },
  dialect: openai,
})
const USAGE = { inputTokens: 480, outputTokens: 250, cost: 3_500_000, model: "gpt-5-2026-08-07" }
const metadata = { Team: "search", "User-Id": "u-42", Feature: "chat" }
const ids = Array.from({ length: REQUESTS }, () => crypto.randomUUID())
const requests = ids.map((id) => ({
  id,
  keyId: "key-1",
  provider: "openai",
  requestedModel: "gpt-5",
  metadata,
  isFree: false,
  isSubscribed: false,
  /** @param {"expected" | "maximum"} kind */
  estimate: (kind) => estimator.estimate(proxied, estimator.read(proxied), kind),
}))

/** Returns the CPU per request in us. @param {import("../src/limits/index.ts").Limits} limits */
async function measureRound(limits) {
  const before = process.cpuUsage()
  for (let from = 0; from < REQUESTS; from += BATCH) {
    const running = []
    for (const request of requests.slice(from, from + BATCH)) {
      if (limits.isEmpty) continue
      const found = limits.reserve(request)
      const reservation = found instanceof Promise ? await found : found
      reservation?.remaining() // for the header
      running.push(reservation)
    }
    for (const reservation of running) reservation?.settle(USAGE)
    limits.committed(ids.slice(from, from + BATCH))
    limits.tick()
    await new Promise(setImmediate)
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / REQUESTS
}

const gateways = [0, 1, 10].map((count) => ({ count, limits: openGateway(count), us: Number.POSITIVE_INFINITY }))
for (let round = 0; round < ROUNDS; round++) {
  for (const gateway of gateways) gateway.us = Math.min(gateway.us, await measureRound(gateway.limits))
}
const none = gateways[0]?.us ?? 0
for (const { count, us } of gateways) {
  const added = us - none
  process.stdout.write(
    `CPU per request, ${count} limits that apply: ${us.toFixed(2)} us, ${added.toFixed(2)} us more than without\n`,
  )
  if (count === 10 && added > GOAL_US) process.exitCode = 1
}
process.stdout.write(`load of the machine: ${loadavg()[0]?.toFixed(1)}; the goal with ten limits is ${GOAL_US} us\n`)
