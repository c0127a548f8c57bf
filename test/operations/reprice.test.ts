import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, expect, test } from "vitest"
import { GATEWAY_ACTOR } from "../../src/core/actor.ts"
import { PRICE_THEN_UNKNOWN, UNANSWERED } from "../../src/core/cost.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import { NO_READING, NO_USAGE, type Reading } from "../../src/core/usage.ts"
import type { Database, RunQuery } from "../../src/database/_database.ts"
import { createKey, updateKey } from "../../src/database/keys.ts"
import { INSERT_ROWS } from "../../src/database/ledger/insert.ts"
import { prune } from "../../src/database/prune.ts"
import { type RepriceContext, repriceRequests } from "../../src/operations/reprice/reprice.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { aRecord } from "../database/_ledger.ts"
import { bodyOf, listedRow } from "../pricing/_list.ts"
import { describeDatabases } from "../support/databases.ts"

const SINCE = Date.parse("2026-11-20T00:00:00Z")
const ALL = { since: SINCE, until: undefined, model: undefined, provider: undefined, unpricedOnly: false }
const RATES = { input: "1", output: "2", cacheRead: "0.5" }

type RepriceInput = Parameters<typeof repriceRequests>[1]

let blank: PriceBook
let priced: PriceBook
beforeAll(async () => {
  const options = { remoteUrl: "", refreshIntervalMs: 1000, now: () => SINCE, log: () => {} }
  blank = await createPriceBook(options)
  priced = await createPriceBook({ ...options, overrides: { "acme-1": [{ base: RATES, tiers: [] }] } })
})
afterAll(() => {
  blank.close()
  priced.close()
})

const UNPRICED = {
  input_cost: undefined,
  output_cost: undefined,
  total_cost: undefined,
  cost_status: "unpriced",
  price: { lines: [], reason: "no price for acme-1 at openai" },
} as const

const USAGE = { ...NO_USAGE, input: 600, cacheRead: 400, output: 500 }
const READING: Reading = {
  ...NO_READING,
  model: "gpt-4o",
  source: "reported",
  parts: [{ model: "gpt-4o", usage: USAGE, contextTokens: 1000, role: "answer" }],
}
const FREE = { price: { lines: [], reason: "free by the provider's own rule" } } as const

function anUnpriced(changes: Partial<LogRecord> = {}): LogRecord {
  return aRecord({ id: crypto.randomUUID(), model: "acme-1", requested_model: "acme-1", ...UNPRICED, ...changes })
}

describeDatabases("repricing", (open) => {
  const insert = (db: Database, records: readonly LogRecord[]) =>
    db.query({ text: INSERT_ROWS, values: [JSON.stringify(records)] })
  const run = (database: Database, input: Partial<RepriceInput> = {}, context: Partial<RepriceContext> = {}) =>
    repriceRequests(
      { database, actor: GATEWAY_ACTOR, prices: priced, findFormat: () => "openai", onProgress: () => {}, ...context },
      { filter: ALL, dryRun: false, ...input },
    )
  const rowsOf = async (db: Database) =>
    (
      await db.query(
        "SELECT cost_status, trim_scale(total_cost)::text AS total_cost, price->>'reason' AS reason FROM llm_requests_full ORDER BY created_at, id",
      )
    ).rows
  const keptOf = async (db: Database) => (await db.query("SELECT * FROM llm_request_repricings")).rows

  test("a row without a price gets the price that is known now; the old numbers are stored and the rollups follow", async () => {
    const db = await open()
    await insert(db, [anUnpriced(), anUnpriced(), aRecord({ id: crypto.randomUUID() })])

    const models = await run(db, { filter: { ...ALL, model: "acme*" } })

    // 600 x 1 + 400 x 0.5 + 500 x 2 USD per million.
    expect(models).toEqual([
      {
        provider: "openai",
        model: "acme-1",
        looked: 2,
        changed: 2,
        before: "0",
        after: "0.0036",
        unpriced_before: 2,
        unpriced_after: 0,
        reason: null,
      },
    ])
    expect((await rowsOf(db)).filter(({ total_cost }) => total_cost === "0.0018")).toHaveLength(2)
    const kept = await keptOf(db)
    expect(kept).toHaveLength(2)
    expect(kept[0]).toMatchObject({
      reason: "the price was not known",
      old_cost_status: "unpriced",
      old_total_cost: null,
      old_price: UNPRICED.price,
      new_cost_status: "exact",
    })
    for (const sums of ["llm_usage_hourly", "llm_usage_daily"]) {
      const { rows } = await db.query(
        `SELECT requests::int, unpriced::int, without_cost::int, exact::int, trim_scale(total_cost)::text AS total_cost FROM ${sums} WHERE model = 'acme-1'`,
      )
      expect(rows).toEqual([{ requests: 2, unpriced: 0, without_cost: 0, exact: 2, total_cost: "0.0036" }])
    }
  })

  test("the API value of subscriptions is priced again, and added to no bill", async () => {
    const db = await open()
    await insert(db, [anUnpriced(), anUnpriced({ billing: "subscription" })])
    expect(await run(db)).toMatchObject([{ looked: 2, changed: 2, before: "0", after: "0.0018", unpriced_after: 0 }])
    const { rows } = await db.query(`SELECT trim_scale(sum(total_cost))::text AS bill,
      trim_scale(sum(subscription_value))::text AS value, sum(subscription_without_value)::int AS unknown FROM llm_usage_daily`)
    expect(rows).toEqual([{ bill: "0.0018", value: "0.0018", unknown: 0 }])
  })

  test("a second run changes nothing, and neither does a dry run", async () => {
    const db = await open()
    await insert(db, [anUnpriced(), anUnpriced()])
    const dry = await run(db, { dryRun: true })
    expect(dry[0]).toMatchObject({ changed: 2, after: "0.0036" })
    expect(await keptOf(db)).toEqual([])
    expect((await rowsOf(db)).map(({ cost_status }) => cost_status)).toEqual(["unpriced", "unpriced"])

    expect((await run(db))[0]).toMatchObject({ changed: 2 })
    expect((await run(db))[0]).toMatchObject({ looked: 2, changed: 0, unpriced_after: 0 })
    expect(await keptOf(db)).toHaveLength(2)
  })

  test("a request that was sent and has no answer stays without a cost", async () => {
    const db = await open()
    const none = { usage: undefined, usage_source: "none", input_tokens: 0, output_tokens: 0 } as const
    await insert(db, [anUnpriced({ ...none, status_code: 499, price: { lines: [], reason: UNANSWERED } })])
    expect((await run(db))[0]).toMatchObject({ looked: 1, changed: 0 })
    expect(await rowsOf(db)).toEqual([{ cost_status: "unpriced", total_cost: null, reason: UNANSWERED }])
  })

  test("two runs at once change each row once and store it once", async () => {
    const db = await open()
    await insert(
      db,
      Array.from({ length: 40 }, () => anUnpriced()),
    )
    await Promise.all([run(db), run(db)])
    expect(await keptOf(db)).toHaveLength(40)
    const { rows } = await db.query(
      "SELECT trim_scale(total_cost)::text AS total, unpriced::int FROM llm_usage_hourly WHERE model = 'acme-1'",
    )
    expect(rows).toEqual([{ total: "0.072", unpriced: 0 }])
  })

  test("a wrong price is replaced; a price that is no longer known stays", async () => {
    const db = await open()
    const wrong = { input_cost: "1", output_cost: "1", total_cost: "2", cost_status: "exact" } as const
    await insert(db, [anUnpriced({ ...wrong }), anUnpriced({ ...wrong, model: "gone-1", requested_model: "gone-1" })])
    const models = await run(db)
    expect(models).toMatchObject([
      { model: "acme-1", changed: 1, before: "2", after: "0.0018" },
      { model: "gone-1", changed: 0 },
    ])
    expect((await keptOf(db))[0]).toMatchObject({ reason: "the price was different", old_cost_status: "exact" })
  })

  test("a younger price list takes no right price away, whether its prices are the same or changed after the request", async () => {
    const db = await open()
    let now = SINCE
    let body = bodyOf([listedRow("openai", "gpt-4o", 3, 12, 1.5)], "2026-11-19")
    const server = createServer((_, response) => response.end(JSON.stringify(body)))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const remoteUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const book = await createPriceBook({ remoteUrl, refreshIntervalMs: 1000, now: () => now, log: () => {} })
    await book.refresh()
    await insert(db, [anUnpriced({ model: "gpt-4o", requested_model: "gpt-4o" })])
    const reprice = async () => (await run(db, {}, { prices: book })).map(({ changed }) => changed)
    expect(await reprice()).toEqual([1])
    const [priced] = await rowsOf(db)
    expect(priced).toMatchObject({ cost_status: "exact", reason: null })

    for (const input of [3, 30]) {
      now += 7 * 86_400_000
      body = bodyOf([listedRow("openai", "gpt-4o", input, 12, 1.5)], new Date(now).toISOString().slice(0, 10))
      await book.refresh()
      expect(await reprice()).toEqual([0])
    }
    expect(await rowsOf(db)).toEqual([priced])
    book.close()
    server.close()
  })

  test("an exact price stays if the only price that is known now was seen after the request", async () => {
    const db = await open()
    const body = bodyOf([listedRow("openai", "gpt-99", 7, 12, 3.5)], "2026-11-25")
    const server = createServer((_, response) => response.end(JSON.stringify(body)))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const remoteUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const book = await createPriceBook({ remoteUrl, refreshIntervalMs: 1000, now: Date.now, log: () => {} })
    await book.refresh()
    const of = { model: "gpt-99", requested_model: "gpt-99", total_cost: "9" }
    const at = (day: string) => ({ requested_at: `${day}T10:00:00Z`, created_at: `${day}T10:00:00Z` })
    await insert(db, [
      anUnpriced({ ...of, ...at("2026-11-20"), cost_status: "exact" }),
      anUnpriced({ ...of, ...at("2026-11-21"), total_cost: undefined }),
      anUnpriced({ ...of, ...at("2026-11-26"), cost_status: "exact" }),
    ])
    await run(db, {}, { prices: book })
    // 600 x 7 + 400 x 3.5 + 500 x 12 USD per million.
    expect((await rowsOf(db)).map(({ total_cost }) => total_cost)).toEqual(["9", "0.0116", "0.0116"])
    book.close()
    server.close()
  })

  test("an exact price stays if the sources only disagree about the price at that time", async () => {
    const db = await open()
    const exact = { model: "acme-1", requested_model: "acme-1", cost_status: "exact", total_cost: "9" } as const
    await insert(db, [aRecord({ id: crypto.randomUUID(), ...exact }), anUnpriced()])
    const uncertain: RepriceContext["prices"] = {
      ...priced,
      price: (question) => {
        const cost = priced.price(question)
        return { ...cost, status: "estimated", price: { lines: [], ...cost.price, reason: PRICE_THEN_UNKNOWN } }
      },
    }

    const models = await run(db, { filter: { ...ALL, model: "acme*" } }, { prices: uncertain })

    expect(models).toMatchObject([{ looked: 2, changed: 1 }])
    expect((await rowsOf(db)).map(({ cost_status, total_cost }) => [cost_status, total_cost])).toEqual(
      expect.arrayContaining([
        ["exact", "9"],
        ["estimated", "0.0018"],
      ]),
    )
  })

  test("rows are processed in chunks, each row once, even if all have the same microsecond", async () => {
    const db = await open()
    const at = "2026-11-20T10:00:00.412345Z"
    await insert(
      db,
      Array.from({ length: 1203 }, () => anUnpriced({ created_at: at })),
    )
    const progress: number[] = []
    const models = await run(db, {}, { onProgress: ({ changed }) => progress.push(changed) })
    expect(models[0]).toMatchObject({ looked: 1203, changed: 1203 })
    expect(progress).toEqual([500, 1000, 1203])
  })

  test("rows that are free by rule, gaps, and rows outside the filter are not changed", async () => {
    const db = await open()
    const free = { input_cost: "0", output_cost: "0", total_cost: "0", cost_status: "free" } as const
    await insert(db, [
      anUnpriced({ ...free, ...FREE, request_method: "GET", request_path: "/v1/responses/resp_1" }),
      anUnpriced({ outcome: "gap" }),
      anUnpriced({ created_at: "2026-11-19T10:00:00Z" }),
      anUnpriced({ provider: "other" }),
    ])
    expect(await run(db, { filter: { ...ALL, provider: "openai" } })).toMatchObject([{ looked: 1, changed: 0 }])
    expect(await keptOf(db)).toEqual([])
  })

  test("a row keeps the discount that its key had; a row without a price gets the one that the key has now", async () => {
    const db = await open()
    const { key } = await createKey(db, { name: "team", discount: "20" })
    const of = { majordomo_api_key_id: key.id, model: "gpt-4o", requested_model: "gpt-4o" }
    // 600 x 2.5 + 400 x 1.25 + 500 x 10 USD per million, with the discount of the time of each request.
    const priced = (factor: string | undefined, at: string) => {
      const question = { provider: "openai", requestedModel: "gpt-4o", at: SINCE, keyDiscountFactor: factor }
      const { price } = blank.price({ ...question, reading: READING })
      return anUnpriced({ ...of, created_at: at, cost_status: "exact", total_cost: "9", price })
    }
    await insert(db, [
      priced("0.9", "2026-11-20T10:00:00Z"),
      priced(undefined, "2026-11-20T11:00:00Z"),
      anUnpriced({ ...of, created_at: "2026-11-20T12:00:00Z" }),
    ])
    expect(await run(db, {}, { prices: blank })).toMatchObject([{ looked: 3, changed: 3 }])
    expect((await rowsOf(db)).map(({ total_cost }) => total_cost)).toEqual(["0.0063", "0.007", "0.0056"])

    await updateKey(db, key.id, { discount: "50" })
    expect(await run(db, {}, { prices: blank })).toMatchObject([{ looked: 3, changed: 0 }])
  })

  test("a row that was free by a path that is not free today is priced, also from its token columns alone", async () => {
    const db = await open()
    const free = { input_cost: "0", output_cost: "0", total_cost: "0", cost_status: "free", ...FREE } as const
    const path = "/v1/projects/p/models/acme-1:rawPredict"
    await insert(db, [
      anUnpriced({ ...free, request_path: path, created_at: "2026-11-20T10:00:00Z" }),
      anUnpriced({ ...free, request_path: path, usage: undefined, created_at: "2026-11-20T11:00:00Z" }),
      anUnpriced({ ...free, request_path: "/v1/responses/resp_1", request_method: "GET" }),
    ])
    expect(await run(db)).toMatchObject([{ looked: 3, changed: 2 }])
    expect((await rowsOf(db)).map(({ cost_status: status }) => status).sort()).toEqual(["estimated", "exact", "free"])
  })

  test("a refusal of Anthropic's without output stays free", async () => {
    const db = await open()
    const free = { input_cost: "0", output_cost: "0", total_cost: "0", cost_status: "free", ...FREE } as const
    const usage = { input_tokens: 10, output_tokens: 0 }
    await insert(db, [
      anUnpriced({ ...free, dialect: "anthropic", request_path: "/v1/messages", usage, output_tokens: 0 }),
    ])
    expect(await run(db, {}, { findFormat: () => "anthropic" })).toMatchObject([{ looked: 1, changed: 0 }])
  })

  test("a row with only token columns gets an estimate, and a row without tokens says why it has no price", async () => {
    const db = await open()
    const none = { input_tokens: 0, cached_tokens: 0, output_tokens: 0, usage_source: "none" } as const
    await insert(db, [
      anUnpriced({ usage: undefined, created_at: "2026-11-20T10:00:00Z" }),
      anUnpriced({ usage: undefined, ...none, created_at: "2026-11-20T11:00:00Z" }),
    ])
    expect(await run(db)).toMatchObject([
      { changed: 1, after: "0.0018", unpriced_after: 1, reason: "the answer reported no usage" },
    ])
    expect(await rowsOf(db)).toMatchObject([
      { cost_status: "estimated", total_cost: "0.0018", reason: expect.stringContaining("token columns alone") },
      { cost_status: "unpriced" },
    ])
  })

  test("a stored repricing cannot be changed, nor deleted while its request exists", async () => {
    const db = await open()
    await insert(db, [anUnpriced()])
    await run(db)
    for (const sql of ["DELETE FROM", "TRUNCATE"]) {
      await expect(db.query(`${sql} llm_request_repricings`)).rejects.toThrow("only takes new rows")
    }
    await expect(db.query("UPDATE llm_request_repricings SET reason = 'x'")).rejects.toThrow("only takes new rows")
  })

  test("[O12] prune deletes the repricings of the requests that it deletes, and those that earlier prunes left", async () => {
    const db = await open()
    const [old, orphaned, recent] = ["2026-11-20", "2026-11-21", "2026-11-22"].map((day) =>
      anUnpriced({ created_at: `${day}T10:00:00Z` }),
    ) as [LogRecord, LogRecord, LogRecord]
    await insert(db, [old, orphaned, recent])
    await run(db)
    await db.query({ text: "DELETE FROM llm_requests WHERE id = $1", values: [orphaned.id] })
    expect(await keptOf(db)).toHaveLength(3)
    const choice = { olderThan: Date.parse("2026-11-21T12:00:00Z"), bodiesOnly: false }
    await prune(db, { ...choice, bodiesOnly: true })
    expect(await keptOf(db)).toHaveLength(3)
    expect(await prune(db, choice)).toEqual({ requests: 1, partitions: 0 })
    expect((await keptOf(db)).map(({ request_id }) => request_id)).toEqual([recent.id])
  })

  test("[O12] a request that is pruned or changed while it is repriced is not counted as changed", async () => {
    const db = await open()
    const requests = [anUnpriced(), anUnpriced(), anUnpriced()]
    await insert(db, requests)
    const [pruned, changed] = requests.map(({ id }) => id)
    // The rows have been read when the first of them is priced, and are written when all of them are.
    const progress: number[] = []
    const beside = Object.assign(Object.create(db) as Database, {
      async transaction<T>(work: (query: RunQuery) => Promise<T>) {
        await db.query({ text: "DELETE FROM llm_requests WHERE id = $1", values: [pruned] })
        await db.query({ text: "UPDATE llm_requests SET cost_status = 'estimated' WHERE id = $1", values: [changed] })
        return db.transaction(work)
      },
    })
    const models = await run(beside, {}, { onProgress: ({ changed }) => void progress.push(changed) })
    expect(models).toMatchObject([{ looked: 3, changed: 1, after: "0.0018" }])
    expect(progress).toEqual([1])
    expect(await keptOf(db)).toHaveLength(1)
    const { rows } = await db.query("SELECT actor_name, action FROM llm_audit")
    expect(rows).toEqual([{ actor_name: "gateway", action: "pricing.reprice" }])
  })

  test("without a price for the model nothing changes", async () => {
    const db = await open()
    await insert(db, [anUnpriced()])
    expect(await run(db, {}, { prices: blank })).toMatchObject([
      { changed: 0, unpriced_after: 1, reason: "no price for acme-1 at openai" },
    ])
  })
})
