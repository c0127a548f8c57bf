// npm run bench -- limits
// Measures the CPU that limits add to a request, with 0, 1 and 10 limits that apply: to estimate it, reserve, state what is
// left in a header, settle by the row, and commit. All requests are read by their dialect, as without limits, so that what
// limits need of this reading counts too. The lease table is in memory and always has room, as for a busy gateway far from
// its limits. Rounds alternate, and the minimum of each counts, because noise only adds. Fails above the goal with ten limits.
import "./_typescript.mjs"
import { loadavg } from "node:os"

/** The goal with ten limits, in us. */
const GOAL_US = 5
const ROUNDS = 9
const REQUESTS = 20_000
/** Rows are committed in batches, as the ledger writes them. */
const BATCH = 200

const { createLimits } = await import("../src/limits/index.ts")
const { createReserve } = await import("../src/gateway/limits/reserve.ts")
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
const request = {
  provider: "openai",
  method: "POST",
  path: "/v1/chat/completions",
  query: "",
  headers: { "content-type": "application/json" },
  body,
  host: "api.openai.com",
}
const caller = { keyId: "key-1" }
const route = { provider: { name: "openai" } }
const metadata = { Team: "search", "User-Id": "u-42", Feature: "chat" }
const ids = Array.from({ length: REQUESTS }, () => crypto.randomUUID())
/** The part of a row that limits count. */
const ROW = /** @type {any} */ ({
  model: "gpt-5-2026-08-07",
  input_tokens: 480,
  output_tokens: 250,
  total_cost: "0.003500000000",
})

/** Returns the step that reserves. Prices are known, as they are for all requests but the first of a model. @param {Limits} limits */
function createStep(limits) {
  const price = () => ({ totalCost: "2.5" })
  const boundsOf = () => ({ context: 400_000, output: 128_000 })
  const onError = (/** @type {unknown} */ error) => {
    throw error
  }
  return createReserve(/** @type {any} */ ({ limits, price, boundsOf, pricesVersion: () => 1, onError }), () => {})
}

/** Returns what the pipeline knows of a request when it gets to its limits. @param {string} id */
function receive(id) {
  const prepared = openai.prepare(request, { injectStreamUsage: true })
  const call = { id, receivedAt: Date.now(), headers: request.headers, metadata, body }
  /** @type {any} */
  const proxied = { call, caller, route, prepared, providerRequest: request, dialect: openai, reservation: undefined }
  return proxied
}

/** @typedef {import("../src/limits/index.ts").Limits} Limits */

/** Returns the CPU per request in us. @param {Pick<(typeof gateways)[0], "limits" | "reserve">} gateway */
async function measureRound({ limits, reserve }) {
  const before = process.cpuUsage()
  for (let from = 0; from < REQUESTS; from += BATCH) {
    const batch = ids.slice(from, from + BATCH)
    const running = []
    for (const id of batch) {
      const proxied = receive(id)
      running.push(proxied)
      if (!limits.isEmpty) {
        const reserving = reserve(limits, proxied)
        if (reserving instanceof Promise) await reserving
      }
      proxied.reservation?.addRemaining([])
    }
    for (const { reservation } of running) reservation?.settle(ROW)
    limits.committed(batch)
    limits.tick()
    await new Promise(setImmediate)
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / REQUESTS
}

const gateways = [0, 1, 10].map((count) => {
  const limits = openGateway(count)
  return { count, limits, reserve: createStep(limits), us: Number.POSITIVE_INFINITY }
})
for (let round = 0; round < ROUNDS; round++) {
  for (const gateway of gateways) gateway.us = Math.min(gateway.us, await measureRound(gateway))
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
