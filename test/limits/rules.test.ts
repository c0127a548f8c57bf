import { describe, expect, test } from "vitest"
import type { Limit } from "../../src/core/limit.ts"
import type { LimitError } from "../../src/core/limit-error.ts"
import type { LimitedRequest } from "../../src/core/limit-reservation.ts"
import type { LimitsOptions } from "../../src/limits/index.ts"
import { createTestClock, LIMIT, openLimits, settle, toLimit, toRequest } from "./_gateway.ts"
import { createLeaseModel } from "./_model.ts"

function open(limits: readonly Limit[], options: Partial<LimitsOptions> = {}) {
  const clock = createTestClock()
  const model = createLeaseModel(() => clock.now)
  for (const limit of limits) model.limits.set(limit.id, limit)
  return { clock, model, gateway: openLimits(model, clock, options) }
}

type Changes = Parameters<typeof toRequest>[0]

/** Returns whether the limit applies: with an amount of 0, it then rejects the request. */
async function applies(limit: Partial<Limit>, changes: Changes = {}): Promise<boolean> {
  const { gateway } = open([toLimit({ amount: "0", ...limit })])
  return (await errorOf(async () => gateway.reserve(toRequest(changes)))) !== undefined
}

async function errorOf(run: () => Promise<unknown>): Promise<LimitError | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    return error as LimitError
  }
}

const DEAR: Changes = { need: { cost: 5_000_000_000, inputTokens: 500, outputTokens: 700 } }
const cost = (changes: Partial<Limit> = {}) => toLimit({ measure: "cost", amount: "1", ...changes })

describe("a limit applies", () => {
  test.each<[string, Partial<Limit>, Changes, boolean]>([
    ["to its key", { key: "key-1" }, {}, true],
    ["to no other key", { key: "key-2" }, {}, false],
    ["to its provider, in any case", { provider: "OpenAI" }, {}, true],
    ["to no other provider", { provider: "anthropic" }, {}, false],
    ["to its model", { model: "gpt-5" }, {}, true],
    ["to no model whose name only begins so", { model: "gpt" }, {}, false],
    ["to models with its prefix", { model: "gpt*" }, {}, true],
    ["to requests with its metadata", { where: { Team: "a" } }, { metadata: { Team: "a" } }, true],
    ["to no other value", { where: { Team: "a" } }, { metadata: { Team: "ab" } }, false],
    ["to values with its prefix", { where: { Team: "a*" } }, { metadata: { Team: "ab" } }, true],
    ["to no request without the name", { where: { Team: "*" } }, {}, false],
    ["only if all pairs are met", { where: { Team: "a", Env: "p" } }, { metadata: { Team: "a" } }, false],
    ["if all pairs are met", { where: { Team: "a", Env: "p" } }, { metadata: { Team: "a", Env: "p" } }, true],
    ["only if all filters are met", { model: "gpt*", key: "key-2" }, {}, false],
  ])("%s", async (_title, limit, request, expected) => {
    expect(await applies(limit, request)).toBe(expected)
  })

  test("to the model that answered the last request for this name", async () => {
    const narrow = toLimit({ model: "gpt-5-2026*", amount: "0" })
    const wide = toLimit({ id: "00000000-0000-4000-8000-000000000002" })
    const { gateway } = open([wide, narrow])
    const first = await gateway.reserve(toRequest())
    first!.settle({ inputTokens: 1, outputTokens: 1, cost: 1, model: "gpt-5-2026-08-07" })
    expect(await errorOf(async () => gateway.reserve(toRequest()))).toBeDefined()
    expect(await errorOf(async () => gateway.reserve(toRequest({ requestedModel: "gpt-4" })))).toBeUndefined()
  })
})

describe("per", () => {
  const long = "é😀".repeat(200)
  test.each<[string, string, Changes, string]>([
    ["the key", "key", {}, "key-1"],
    ["the model", "model", {}, "gpt-5"],
    ["a metadata name", "User-Id", { metadata: { "User-Id": "ann" } }, "ann"],
    ["one group for all without the name", "User-Id", {}, ""],
    [
      "a value of 255 characters at most",
      "User-Id",
      { metadata: { "User-Id": long } },
      [...long].slice(0, 255).join(""),
    ],
  ])("divides by %s", async (_title, per, request, value) => {
    const { gateway, model } = open([toLimit({ per, amount: "1" })])
    await gateway.reserve(toRequest(request))
    expect(model.leased(LIMIT.id, value)).toBe(1)
    expect(await errorOf(async () => gateway.reserve(toRequest(request)))).toMatchObject({ code: "limit_exceeded" })
  })

  test("gives each value its own amount", async () => {
    const { gateway } = open([toLimit({ per: "User-Id", amount: "1" })])
    for (const user of ["ann", "bob", "cid"]) {
      expect(await gateway.reserve(toRequest({ metadata: { "User-Id": user } }))).toBeDefined()
    }
  })
})

describe("what a request uses", () => {
  const free: Changes = { ...DEAR, isFree: true }
  const subscribed: Changes = { ...DEAR, isSubscribed: true }
  const unpriced: Changes = { need: { cost: undefined } }

  test.each<[string, Partial<Limit>, Changes, boolean]>([
    ["money", { measure: "cost", amount: "1" }, DEAR, true],
    ["input tokens", { measure: "input_tokens", amount: "499" }, DEAR, true],
    ["no other tokens than its input", { measure: "input_tokens", amount: "500" }, DEAR, false],
    ["output tokens", { measure: "output_tokens", amount: "699" }, DEAR, true],
    ["both as tokens", { measure: "tokens", amount: "1199" }, DEAR, true],
    ["both as tokens, and no more", { measure: "tokens", amount: "1200" }, DEAR, false],
    ["no money and no tokens for a free operation", { measure: "cost", amount: "0" }, free, false],
    ["a request for a free operation", { measure: "requests", amount: "0" }, free, true],
    ["no money of a subscription", { measure: "cost", amount: "0" }, subscribed, false],
    ["tokens of a subscription", { measure: "tokens", amount: "0" }, subscribed, true],
    ["no money without a price", { measure: "cost", amount: "0" }, unpriced, false],
    ["nothing of a limit that only warns", { amount: "0", action: "warn" }, {}, false],
  ])("is %s", async (_title, limit, request, isRejected) => {
    const { gateway } = open([toLimit(limit)])
    const error = await errorOf(async () => gateway.reserve(toRequest(request)))
    expect(error !== undefined).toBe(isRejected)
  })

  test("must have a price where `unpriced` is `block`, and what was reserved in other limits is free again", async () => {
    const wide = toLimit({ amount: "1" })
    const strict = cost({ id: "00000000-0000-4000-8000-000000000002", name: "strict", unpriced: "block" })
    const { gateway } = open([wide, strict])
    const error = await errorOf(async () => gateway.reserve(toRequest(unpriced)))
    expect(error).toMatchObject({ code: "unpriced_model", status: 403, limit: "strict", shouldRetry: false })
    expect(error!.message).toMatchInlineSnapshot(
      `"The price of the model "gpt-5" is not known, and the limit "strict" rejects such models. Ask your operator to add a price, or use another model."`,
    )
    expect(await gateway.reserve(toRequest())).toBeDefined()
  })

  test("is estimated only if a limit needs it, once for each kind", async () => {
    const ids = ["2", "3", "4", "5"].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`)
    const kinds = ["expected", "maximum", "expected", "maximum"] as const
    const limits = ids.map((id, i) => cost({ id, amount: "100", estimate: kinds[i]! }))
    const asked: string[] = []
    const estimate: LimitedRequest["estimate"] = (kind) => {
      asked.push(kind)
      return { inputTokens: 1, outputTokens: 1, cost: 1 }
    }
    await open([toLimit({})]).gateway.reserve(toRequest({ estimate }))
    expect(asked).toEqual([])
    await open(limits).gateway.reserve(toRequest({ estimate }))
    expect(asked).toEqual(["expected", "maximum"])
  })
})

test("a limit that warns counts what requests use, and each percentage is announced once in a window", async () => {
  const announced: number[] = []
  const limit = toLimit({ action: "warn", amount: "10", notifyAt: [50, 80, 100] })
  const { gateway, clock, model } = open([limit], { onThreshold: ({ percent }) => void announced.push(percent) })
  const use = async (units: number) => {
    model.commit({ limitId: LIMIT.id, value: "", createdAt: clock.now, units })
    const request = toRequest()
    ;(await gateway.reserve(request))!.settle({ inputTokens: 1, outputTokens: 1, cost: 1, model: "gpt-5" })
    gateway.committed([request.id])
    await clock.advance(3_000)
    gateway.tick()
    await settle()
  }
  await use(4)
  expect(announced).toEqual([])
  await use(1)
  await use(0)
  expect(announced).toEqual([50])
  await use(10)
  await use(10)
  expect(announced).toEqual([50, 100])
  await clock.advance(3_600_000)
  await use(9)
  expect(announced).toEqual([50, 100, 80])
})

describe("the expected output", () => {
  test("is not known before eight answers, and then is what 95 % of them stay below", () => {
    const { gateway } = open([])
    for (let i = 0; i < 7; i++) gateway.learnOutput("key-1", "gpt-5", 100)
    expect(gateway.expectedOutput("key-1", "gpt-5")).toBeUndefined()
    gateway.learnOutput("key-1", "gpt-5", 100)
    const expected = gateway.expectedOutput("key-1", "gpt-5")!
    expect(expected).toBeGreaterThanOrEqual(100)
    expect(expected).toBeLessThanOrEqual(119)
    expect(gateway.expectedOutput("key-2", "gpt-5")).toBeUndefined()
    expect(gateway.expectedOutput("key-1", "gpt-4")).toBeUndefined()
  })

  test("is not that of the one answer in a hundred that is long, and follows what answers become", () => {
    const { gateway } = open([])
    for (let i = 0; i < 200; i++) gateway.learnOutput("key-1", "gpt-5", i % 100 === 0 ? 64_000 : 200)
    expect(gateway.expectedOutput("key-1", "gpt-5")).toBeLessThan(250)
    for (let i = 0; i < 600; i++) gateway.learnOutput("key-1", "gpt-5", 8_000)
    expect(gateway.expectedOutput("key-1", "gpt-5")).toBeGreaterThanOrEqual(8_000)
  })

  test("is learned from settled requests under both names of the model, and not from free operations", async () => {
    const { gateway } = open([toLimit({ amount: "100" })])
    const usage = { inputTokens: 1, outputTokens: 50, cost: 1, model: "gpt-5-2026" }
    for (let i = 0; i < 8; i++) (await gateway.reserve(toRequest({ isFree: true })))!.settle(usage)
    expect(gateway.expectedOutput("key-1", "gpt-5")).toBeUndefined()
    for (let i = 0; i < 8; i++) (await gateway.reserve(toRequest()))!.settle(usage)
    expect(gateway.expectedOutput("key-1", "gpt-5")).toBeGreaterThanOrEqual(50)
    expect(gateway.expectedOutput("key-1", "gpt-5-2026")).toBeGreaterThanOrEqual(50)
  })
})

describe("a rejection", () => {
  test("says to wait for the reset if the limit is used up, and that this is too long for a client above a minute", async () => {
    const used = async (window: Limit["window"]) => {
      const { gateway, model, clock } = open([toLimit({ window, amount: "1" })])
      model.commit({ limitId: LIMIT.id, value: "", createdAt: clock.now, units: 1 })
      return errorOf(async () => gateway.reserve(toRequest()))
    }
    expect(await used("minute")).toMatchObject({ retryAfterSeconds: 60, shouldRetry: true })
    expect(await used("hour")).toMatchObject({ retryAfterSeconds: 3600, shouldRetry: false })
    const total = await used("total")
    expect(total).toMatchObject({ retryAfterSeconds: undefined, resetsAt: undefined, shouldRetry: false })
    expect(total!.message).toMatchInlineSnapshot(
      `"The limit "test" of 1 requests in total has no room for this request: 1 used. It does not reset: ask your operator to raise it."`,
    )
  })

  test("says to try again at once if only running requests are in the way", async () => {
    const { gateway } = open([toLimit({ measure: "concurrency", amount: "2" })])
    await gateway.reserve(toRequest())
    await gateway.reserve(toRequest())
    const error = await errorOf(async () => gateway.reserve(toRequest()))
    expect(error).toMatchObject({ retryAfterSeconds: 1, resetsAt: undefined, shouldRetry: true })
    expect(error!.message).toMatchInlineSnapshot(
      `"The limit "test" allows 2 requests at the same time, and 2 are running. Try again when one of them has ended."`,
    )
  })

  test("is remembered for a moment, so that a flood does not ask the database each time", async () => {
    let statements = 0
    const { gateway, clock, model } = open([toLimit({ amount: "0" })])
    const { lease } = model
    model.lease = (...given) => {
      statements++
      return lease(...given)
    }
    const flood = () =>
      Promise.all(Array.from({ length: 500 }, () => errorOf(async () => gateway.reserve(toRequest()))))
    await flood()
    expect((await flood()).every((error) => error?.code === "limit_exceeded")).toBe(true)
    expect(statements).toBe(1)
    await clock.advance(101)
    await flood()
    expect(statements).toBe(2)
  })

  test("counts in the figures of its limit", async () => {
    const { gateway } = open([toLimit({ amount: "1" })])
    for (let i = 0; i < 4; i++) await errorOf(async () => gateway.reserve(toRequest()))
    expect(gateway.stats()).toMatchObject([{ limit: { name: "test" }, rejections: 3 }])
  })
})

describe("without the database", () => {
  function openAway(whenUnavailable: "allow" | "block") {
    const clock = createTestClock()
    const model = createLeaseModel(() => clock.now)
    const limit = toLimit({ amount: "100" })
    model.limits.set(limit.id, limit)
    const warnings: string[] = []
    const database = { isAway: false }
    const lost = async () => {
      throw new Error("the database does not answer")
    }
    const table = {
      lease: async (...[gateway, at, items]: Parameters<LimitsOptions["table"]["lease"]>) =>
        database.isAway ? lost() : model.lease(gateway, "host:1", at, items),
      renew: async (gateway: string) => (database.isAway ? lost() : model.renew(gateway)),
      free: async (gateway: string) => (database.isAway ? lost() : model.free(gateway)),
    }
    const warn = (line: string) => void warnings.push(line)
    return { clock, model, database, warnings, gateway: openLimits(model, clock, { table, warn, whenUnavailable }) }
  }

  test.each(["allow", "block"] as const)(
    "a gateway serves from its leases, and then %ss, which it says once",
    async (decision) => {
      const { gateway, clock, database, warnings } = openAway(decision)
      for (let i = 0; i < 5; i++) (await gateway.reserve(toRequest()))!.release()
      database.isAway = true
      const leased = await gateway.reserve(toRequest())
      expect(leased).toBeDefined()
      const errors = []
      for (let i = 0; i < 30; i++) errors.push(await errorOf(async () => gateway.reserve(toRequest())))
      if (decision === "allow") expect(errors.filter(Boolean)).toEqual([])
      else expect(errors.at(-1)).toMatchObject({ code: "limits_unavailable", status: 503, limit: "test" })
      expect(warnings).toHaveLength(1)
      database.isAway = false
      for (let i = 0; i < 30; i++) {
        await clock.advance(100)
        gateway.tick()
      }
      expect(warnings).toHaveLength(2)
      expect(await gateway.reserve(toRequest())).toBeDefined()
    },
  )

  test("a lease ends 30 s before its 15 minutes by the clock of the gateway, and what runs stays covered", async () => {
    const { gateway, clock, database, model } = openAway("block")
    const running = await gateway.reserve(toRequest())
    for (let i = 0; i < 5; i++) (await gateway.reserve(toRequest()))!.release()
    database.isAway = true
    await clock.advance(14.5 * 60_000 - 1)
    const last = await gateway.reserve(toRequest())
    last!.release()
    await clock.advance(1)
    expect(await errorOf(async () => gateway.reserve(toRequest()))).toMatchObject({ code: "limits_unavailable" })
    database.isAway = false
    for (let i = 0; i < 30; i++) {
      await clock.advance(100)
      gateway.tick()
    }
    expect(model.leased(LIMIT.id, "")).toBe(1)
    running!.release()
  })
})
