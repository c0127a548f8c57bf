import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { readPages } from "../../../src/reconcile/sources/_pages.ts"
import { createSource, SourceError, type SourceProvider } from "../../../src/reconcile/sources/index.ts"
import {
  ADMIN_KEYS,
  type BillingProvider,
  EXPIRED_KEY,
  POWERLESS_KEY,
  startBillingProvider,
} from "../../support/billing-provider.ts"

const NOW = Date.parse("2026-11-28T15:30:00Z")
const RANGE = { since: "2026-11-01", until: "2026-11-29" }
const COSTS = "/v1/organizations/analytics/cost"

let provider: BillingProvider
let waits: number[]
beforeAll(async () => {
  provider = await startBillingProvider({ now: NOW })
})
beforeEach(() => {
  waits = []
  provider.reset()
  provider.serve({
    provider: "anthropic",
    at: Date.parse("2026-11-02T12:00:00Z"),
    model: "claude-sonnet-4-5",
    quantities: { input: 1000 },
  })
})
afterAll(() => provider.close())

interface Given {
  readonly api?: SourceProvider
  readonly credential?: string
  readonly baseUrl?: string
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  readonly report?: (text: string) => void
}

function fetchBill({ api = "anthropic", signal, report, ...given }: Given = {}) {
  const wait = async (ms: number) => void waits.push(ms)
  const options = { credential: ADMIN_KEYS[api], baseUrl: provider.origin, wait, now: () => NOW, ...given }
  return createSource(api, options).fetchBill(RANGE, report, signal)
}

/** Returns the error of a bill that cannot be read, and checks that nothing in it is a secret. */
async function failureOf(given: Given = {}): Promise<SourceError> {
  const error = await fetchBill(given).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(SourceError)
  const shown = inspect(error, { depth: 10, showHidden: true })
  for (const key of [...Object.values(ADMIN_KEYS), given.credential ?? "-"]) {
    if (key.length > 8) expect(shown).not.toContain(key.slice(-10))
  }
  return error as SourceError
}

describe("a credential that is not accepted", () => {
  test("is named with its setting and where to create another one", async () => {
    const { reason, message } = await failureOf({ api: "openai", credential: "sk-admin-wrong-9876543210" })
    expect(reason).toBe("unauthorized")
    expect(message).toBe(
      "OpenAI does not accept the admin key in reconcile.openai.admin_key (or OPENAI_ADMIN_KEY). Check that it is complete and was not deleted, or create a new one at https://platform.openai.com/settings/organization/admin-keys. OpenAI says: Incorrect API key provided: ***. You can find your API key at https:***",
    )
  })

  test.each([
    ["openai", "sk-proj-0123456789abcdef", "sk-admin-"],
    ["anthropic", "sk-ant-api03-0123456789abcdef", "sk-ant-admin"],
  ] as const)("of %s that is a key for models is said to be one", async (api, credential, prefix) => {
    const { reason, message } = await failureOf({ api, credential })
    expect(reason).toBe("unauthorized")
    expect(message).toContain(`is a key for models, and`)
    expect(message).toContain(
      `gives its bills only to an admin key, which begins with ${prefix}. Create one at https://`,
    )
  })

  test("and has expired is said to have expired", async () => {
    const { reason, message } = await failureOf({ credential: EXPIRED_KEY })
    expect(reason).toBe("expired")
    expect(message).toContain(
      "The key in reconcile.anthropic.admin_key (or ANTHROPIC_ADMIN_KEY) has expired. Create a new one",
    )
  })

  test("for usage is said to lack the right", async () => {
    const { reason, message } = await failureOf({ api: "openai", credential: POWERLESS_KEY })
    expect(reason).toBe("forbidden")
    expect(message).toContain(
      "may not read /v1/organization/usage/completions of OpenAI. It needs the permission to read usage",
    )
  })

  test.each(["", "  ", "sk-admin-\nabc", "sk-admin-schlüssel"])("is rejected before it is sent: %j", (credential) => {
    expect(() => createSource("openai", { credential })).toThrow(
      "The admin key in reconcile.openai.admin_key (or OPENAI_ADMIN_KEY) is empty or has a character that no key has.",
    )
  })
})

describe("a request that fails for now", () => {
  test("is repeated after the time that the provider asks for, or with growing delays", async () => {
    provider.failNext(
      { status: 429, headers: { "retry-after": "7" } },
      { status: 429, headers: { "retry-after": new Date(NOW + 9000).toUTCString() } },
      { status: 500, text: "<html>" },
      { destroy: true },
    )
    const { lines } = await fetchBill()
    expect(lines).toMatchObject([{ bucket: "input", quantity: "1000", cost: "0.003" }])
    expect(waits).toEqual([7000, 9000, 4000, 8000])
  })

  test("fails after five attempts", async () => {
    provider.failNext(...Array.from({ length: 5 }, () => ({ status: 503 })))
    expect(await failureOf()).toMatchObject({ reason: "unavailable", status: 503 })
    expect(waits).toEqual([1000, 2000, 4000, 8000])
    expect(provider.adminRequests).toHaveLength(5)
  })

  test("fails at once if the provider asks for a longer time than two minutes", async () => {
    provider.failNext({ status: 429, headers: { "retry-after": "3600" } })
    const { reason, message } = await failureOf()
    expect(reason).toBe("rate_limited")
    expect(message).toContain("Anthropic limits how often its reports are read. Try again after 3600 s.")
    expect(waits).toEqual([])
  })

  test("because it takes too long is said with the limit", async () => {
    provider.failNext(...Array.from({ length: 5 }, () => ({ never: true }) as const))
    const { reason, message } = await failureOf({ timeoutMs: 20 })
    expect(reason).toBe("unavailable")
    expect(message).toContain("Anthropic did not answer within 0.02 s.")
  })

  test("because nobody listens is said without the address", async () => {
    const server = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => server.once("listening", resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    expect(await failureOf({ baseUrl: `http://127.0.0.1:${port}` })).toMatchObject({
      reason: "unavailable",
      message:
        "Anthropic could not be reached (ECONNREFUSED). Check the network and the proxy, and run the command again.",
    })
  })

  test("ends when it is aborted, during an answer and during a wait", async () => {
    provider.failNext({ never: true })
    const during = new AbortController()
    const reading = fetchBill({ signal: during.signal })
    await expect.poll(() => provider.adminRequests.length).toBe(1)
    during.abort(new Error("the command was stopped"))
    await expect(reading).rejects.toThrow("the command was stopped")

    provider.failNext({ status: 429, headers: { "retry-after": "100" } })
    const credential = ADMIN_KEYS.anthropic
    const waiting = new AbortController()
    const source = createSource("anthropic", { credential, baseUrl: provider.origin, now: () => NOW })
    const reading2 = source.fetchBill(RANGE, undefined, waiting.signal)
    await expect.poll(() => provider.adminRequests.length).toBe(2)
    waiting.abort()
    await expect(reading2).rejects.toMatchObject({ name: "AbortError" })
  })
})

describe("an answer of another form", () => {
  test.each([
    ["is not JSON", { text: "<html>Sign in</html>" }, "it is not a JSON object. Check the base URL"],
    ["is no object", { text: "[1]" }, "it is not a JSON object"],
    ["has no rows", { body: { object: "page" } }, "a list of objects is missing"],
    ["has rows that are no objects", { body: { data: [1] } }, "a list of objects is missing"],
    ["has a row without a date", { body: { data: [{ usage: {} }] } }, "a line has no valid date"],
    [
      "has a count that is no number",
      { body: { data: [{ starting_at: "2026-11-02T00:00:00Z", usage: { output_tokens: "many" } }] } },
      '"output_tokens" is not a number',
    ],
    [
      "has a negative count",
      { body: { data: [{ starting_at: "2026-11-02T00:00:00Z", usage: { output_tokens: -1 } }] } },
      '"output_tokens" is negative',
    ],
    ["has more pages without a token", { body: { data: [], has_more: true, next_page: null } }, "no token for them"],
    [
      "is a redirect",
      { status: 302, headers: { location: "https://elsewhere.example/" } },
      "a redirect, which is not followed",
    ],
    ["is an unexpected status", { status: 418 }, `with 418. Check the base URL`],
  ])("that %s gets an error that says it", async (_, failure, expected) => {
    provider.failNext(failure)
    const { reason, message } = await failureOf()
    expect(reason).toBe("unexpected_answer")
    expect(message).toContain(expected)
    expect(provider.adminRequests).toHaveLength(1)
  })

  test("whose page token repeats gets an error", async () => {
    const page = (next: string) => ({ body: { data: [], has_more: true, next_page: next } })
    provider.failNext(page("a"), page("b"), page("a"))
    expect((await failureOf()).message).toContain("the token of its next page repeats")
  })

  test("whose pages never end gets an error after 500 pages", async () => {
    let pages = 0
    const get = async () => ({ body: { data: [{}], has_more: true, next_page: `page_${++pages}` }, account: undefined })
    const reading = { range: RANGE, now: NOW, options: { credential: "" }, get, report: () => {}, note: () => {} }
    const read = async () => {
      for await (const entry of readPages(reading, { where: "The report", path: "/", query: {} }))
        expect(entry).toEqual({})
    }
    await expect(read()).rejects.toThrow("The report cannot be read: it has more than 500 pages.")
    expect(pages).toBe(500)
  })

  test("in another currency gets an error", async () => {
    const row = { starting_at: "2026-11-02T00:00:00Z", cost: { amount: "1", currency: "EUR" } }
    provider.failNext({ body: { data: [] } }, { body: { data: [row] } })
    expect((await failureOf()).message).toContain("its amounts are in EUR, not in USD")
    expect(provider.adminRequests.at(-1)?.path).toBe(COSTS)
  })

  test("with unknown members and values is read, and nothing of it is lost", async () => {
    const usage = { uncached_input_tokens: 5, teleported_tokens: 9, cache_creation: null }
    const times = { starting_at: "2026-11-02T00:00:00Z" }
    const cost = { amount: "12.5", currency: "USD", new_member: [{}] }
    const group = { model: null, service_tier: "Turbo", token_type: "teleported_tokens", cost_type: "tokens" }
    provider.failNext({ body: { data: [{ ...times, usage }] } }, { body: { data: [{ ...times, group, cost }] } })
    const { lines } = await fetchBill()
    expect(lines).toMatchObject([
      { bucket: "other", item: "teleported_tokens", tier: "turbo", cost: "0.125", listCost: undefined },
      { bucket: "input", quantity: "5", model: undefined, cost: undefined },
    ])
  })
})

describe("an answer in other notations", () => {
  test.each([
    ["1.29e-05", "0.0000129"],
    ['"0E-6176"', "0"],
    ['"0.8958740000000000"', "0.895874"],
    ["123456789.123456789012345678", "123456789.123456789012345678"],
    ["1e3", "1000"],
    ["-2.5E-1", "-0.25"],
  ])("of an amount is read to the last digit: %s", async (written, cost) => {
    const text = `{"data":[{"start_time":1793577600,"results":[{"amount":{"value":${written},"currency":"usd"},"line_item":"a \\"b\\" 1e5"}]}],"has_more":false}`
    provider.failNext(...Array.from({ length: 9 }, () => ({ text: '{"data":[]}' })), { text })
    const { lines } = await fetchBill({ api: "openai" })
    expect(lines).toMatchObject([{ day: "2026-11-02", cost, item: 'a "b" 1e5', bucket: "other" }])
  })
})

describe("the base URL", () => {
  test.each([
    "http://api.openai.com",
    "ftp://127.0.0.1",
    "https://user:password@api.example.com",
    "https://a.example?x=1",
    "x",
  ])("%s is rejected, because the credential would not be safe there", (baseUrl) => {
    expect(() => createSource("openai", { credential: ADMIN_KEYS.openai, baseUrl })).toThrow(
      /The base URL for the bills of OpenAI (?:is not an address|contains|does not begin with https)/,
    )
  })

  test("may end in /v1, have a path, and be plain HTTP on this machine", async () => {
    expect((await fetchBill({ baseUrl: `${provider.origin}/v1/` })).lines).toHaveLength(1)
    await failureOf({ baseUrl: `${provider.origin}/proxy/v1` })
    expect(provider.adminRequests.at(-1)?.path).not.toContain("/v1/v1")
  })
})

test("progress says which report is read, and from which page", async () => {
  const said: string[] = []
  provider.failNext({ body: { data: [], has_more: true, next_page: "page_MA==" } })
  await fetchBill({ report: (text) => said.push(text) })
  expect(said).toEqual(["Anthropic's usage report", "Anthropic's usage report, page 2", "Anthropic's cost report"])
})
