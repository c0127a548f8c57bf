import { tmpdir } from "node:os"
import { afterAll, beforeAll, expect, test } from "vitest"
import { loadSettings } from "../../src/config/load.ts"
import type { Settings } from "../../src/config/settings.ts"
import { GATEWAY_ACTOR } from "../../src/core/actor.ts"
import type { Database } from "../../src/database/_database.ts"
import { copyDatabase } from "../../src/database/copy.ts"
import { ROLLUP_TABLES } from "../../src/database/counters.ts"
import { createKey } from "../../src/database/keys.ts"
import { openPostgres } from "../../src/database/open.ts"
import { prune } from "../../src/database/prune.ts"
import { type ImportContext, type ImportInput, importRequests } from "../../src/operations/imports/import.ts"
import { listImports } from "../../src/operations/imports/list.ts"
import { undoImport } from "../../src/operations/imports/undo.ts"
import { compareAndStore } from "../../src/operations/reconcile/reconcile.ts"
import { repriceRequests } from "../../src/operations/reprice/reprice.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { PROVIDER_CATALOG } from "../../src/providers/catalog.ts"
import { expectBalance, insertRequests } from "../database/_verify.ts"
import { aSpendLog } from "../imports/_litellm.ts"
import { toPieces } from "../imports/_read.ts"
import { describePostgresFirst, postgresAt } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"

const NOW = Date.parse("2026-11-20T00:00:00Z")
const INPUT: ImportInput = {
  source: "litellm",
  key: undefined,
  since: undefined,
  until: undefined,
  reprice: false,
  dryRun: false,
}
const NAMES = `INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true), ('Team', true, true)`

let prices: PriceBook
let settings: Settings
beforeAll(async () => {
  settings = (await loadSettings({ cwd: tmpdir(), env: {} }, PROVIDER_CATALOG)).settings
  const options = { remoteUrl: "", refreshIntervalMs: 1000, now: () => NOW, log: () => {} }
  prices = await createPriceBook({
    ...options,
    overrides: { "gpt-4o-mini": [{ base: { input: "1", output: "2", cacheRead: "0.5" }, tiers: [] }] },
  })
})
afterAll(() => prices.close())

const logs = (count: number, changes: (n: number) => Readonly<Record<string, unknown>> = () => ({})) =>
  Array.from({ length: count }, (_, n) => JSON.stringify(aSpendLog(n, changes(n)))).join("\n")

function contextOf(database: Database, text: string): ImportContext {
  const { signal } = new AbortController()
  const file = toPieces(text, 4096)
  return { database, prices, file, signal, actor: GATEWAY_ACTOR, now: () => NOW, onProgress: () => {} }
}

const run = (database: Database, text: string, input: Partial<ImportInput> = {}) =>
  importRequests(contextOf(database, text), { ...INPUT, ...input })
const undo = (database: Database, id: string) =>
  undoImport({ database, actor: GATEWAY_ACTOR, onProgress: () => {} }, { id })

const readRow = async (database: Database) =>
  (await database.query("SELECT * FROM llm_requests WHERE source = 'import'")).rows[0]!

/** Everything that counts requests, without the zeros at the end of amounts. A group of which all requests were removed counts none. */
async function readTotals(database: Database): Promise<unknown> {
  const tables = await Promise.all(
    ROLLUP_TABLES.map(async ({ name, key }) => {
      const order = key.map((column) => column.split(" ")[0]).join(", ")
      return (await database.query(`SELECT * FROM ${name} WHERE requests > 0 ORDER BY ${order}`)).rows
    }),
  )
  const keys = await database.query("SELECT id, request_count, last_used_at FROM api_keys ORDER BY id")
  const all = [tables, keys.rows, (await database.query("SELECT count(*) FROM llm_requests")).rows]
  return JSON.parse(JSON.stringify(all).replace(/"(\d+)(?:\.0+|(\.\d*?)0+)"/g, '"$1$2"'))
}

describePostgresFirst("importing spend logs", (open) => {
  test("a request has the cost of its source, its tokens in buckets, and its metadata", async () => {
    const database = await open()
    expect(await run(database, logs(1))).toMatchObject({
      source: "litellm",
      records: 1,
      requests: 1,
      known: 0,
      total_cost: "0.00042",
      unpriced: 0,
      first_at: "2026-11-02T10:00:01.350Z",
      models: [{ provider: "openai", model: "gpt-4o-mini", requests: 1, input_tokens: 1000, output_tokens: 500 }],
      bad: 0,
    })
    expect(await readRow(database)).toMatchObject({
      provider: "openai",
      model: "gpt-4o-mini",
      requested_model: "fast",
      input_tokens: "1000",
      cached_tokens: "400",
      output_tokens: "500",
      reasoning_tokens: "100",
      input_cost: null,
      total_cost: "0.000420000000",
      cost_status: "estimated",
      price: { lines: [], reason: "the cost that LiteLLM has recorded", reported: "0.00042" },
      response_time_ms: 1250,
      first_byte_ms: 300,
      raw_metadata: { Team: "Search", "User-Id": "anna" },
      majordomo_api_key_id: null,
    })
    await expectBalance(database)
  })

  test("a cost that is not known is NULL, and never 0", async () => {
    const database = await open()
    expect(
      await run(
        database,
        logs(1, () => ({ spend: 0 })),
      ),
    ).toMatchObject({ requests: 1, unpriced: 1, total_cost: "0" })
    expect(await readRow(database)).toMatchObject({ total_cost: null, cost_status: "unpriced" })
  })

  test("a second import of the same file adds nothing, and one of a longer file only what is new", async () => {
    const database = await open()
    expect(await run(database, logs(700))).toMatchObject({ requests: 700, known: 0 })
    const before = await readTotals(database)
    expect(await run(database, logs(700))).toMatchObject({ id: null, requests: 0, known: 700 })
    expect(await readTotals(database)).toEqual(before)
    expect(await run(database, logs(701), { source: "litellm" })).toMatchObject({ requests: 1, known: 700 })
    expect(await listImports({ database })).toMatchObject([{ requests: 1 }, { requests: 700, total_cost: "0.294" }])
  })

  test("an import that was interrupted is completed by another one, with one row for each request", async () => {
    const database = await open()
    const whole = logs(1200)
    const context = contextOf(database, whole)
    const file = (async function* () {
      yield Buffer.from(whole.slice(0, whole.length / 2))
      throw new Error("the connection has ended")
    })()
    await expect(importRequests({ ...context, file }, INPUT)).rejects.toThrow("the connection has ended")
    expect(await listImports({ database })).toMatchObject([{ requests: 500, status: "unfinished" }])
    expect(await run(database, whole)).toMatchObject({ requests: 700, known: 500 })
    const { rows } = await database.query("SELECT count(*)::int AS count FROM llm_requests")
    expect(rows).toEqual([{ count: 1200 }])
    await expectBalance(database)
  })

  test("a dry run says the same and changes nothing", async () => {
    const database = await open()
    const before = await readTotals(database)
    const { id: _, dry_run: isDry, ...dry } = await run(database, logs(600), { dryRun: true })
    expect(isDry).toBe(true)
    expect(await readTotals(database)).toEqual(before)
    expect(await run(database, logs(600))).toMatchObject(dry)
  })

  test("undo takes an import out of all totals, to the digit, and leaves other requests", async () => {
    const database = await open()
    await database.query(NAMES)
    await insertRequests(database, "2026-11-01T00:00:00Z", 1, 60)
    const first = await run(database, logs(3))
    const before = await readTotals(database)
    const file = Array.from({ length: 2500 }, (_, n) =>
      JSON.stringify(aSpendLog(n + 10, { spend: n / 7_000_000, end_user: `u${n % 9}` })),
    )
    const { id } = await run(database, file.join("\n"))
    expect(await readTotals(database)).not.toEqual(before)
    await expectBalance(database)

    expect(await undo(database, id!.slice(0, 30))).toMatchObject({ id, requests: 2500, left: 0 })
    expect(await readTotals(database)).toEqual(before)
    await expectBalance(database)
    expect(await listImports({ database })).toMatchObject([
      { id, status: "undone" },
      { id: first.id, status: "finished" },
    ])
    expect(await run(database, file.join("\n"))).toMatchObject({ requests: 2500 })
    await expect(undo(database, "")).rejects.toThrow("there is no import with this id")
  })

  test("with --reprice, tokens are priced; without a price, the cost of the source stays", async () => {
    const database = await open()
    const file = [aSpendLog(1), aSpendLog(2, { model: "unheard-of", custom_llm_provider: "acme" })]
    const result = await run(database, file.map((log) => JSON.stringify(log)).join("\n"), { reprice: true })
    // 600 × 1 + 400 × 0.5 + 500 × 2 USD per million, and 0.00042 USD.
    expect(result).toMatchObject({ requests: 2, total_cost: "0.00222", unpriced: 0 })
    const { rows } = await database.query("SELECT cost_status, total_cost FROM llm_requests ORDER BY total_cost")
    expect(rows).toEqual([
      { cost_status: "estimated", total_cost: "0.000420000000" },
      { cost_status: "estimated", total_cost: "0.001800000000" },
    ])
  })

  test("a later reprice prices what has no cost, and leaves the costs of the source", async () => {
    const database = await open()
    await run(
      database,
      logs(2, (n) => (n === 0 ? {} : { spend: 0 })),
    )
    const context = { database, actor: GATEWAY_ACTOR, prices, findFormat: () => undefined, onProgress: () => {} }
    const filter = { since: 0, until: undefined, model: undefined, provider: undefined, unpricedOnly: false }
    await repriceRequests(context, { filter, dryRun: false })
    const { rows } = await database.query("SELECT cost_status, total_cost FROM llm_requests ORDER BY total_cost")
    expect(rows).toEqual([
      { cost_status: "estimated", total_cost: "0.000420000000" },
      { cost_status: "estimated", total_cost: "0.001800000000" },
    ])
  })

  test("requests belong to the API key that is named, and an unknown key is an error", async () => {
    const database = await open()
    const { id } = await createKey(database, { name: "Old gateway" }).then((created) => created.key)
    await run(database, logs(1), { key: "Old gateway" })
    expect(await readRow(database)).toMatchObject({ majordomo_api_key_id: id })
    await expect(run(database, logs(1), { key: "nobody" })).rejects.toThrow(
      "there is no API key with the id or the name",
    )
  })

  test("only the requests of the period are imported, and none of a time that was pruned", async () => {
    const database = await open()
    const at = (n: number) => ({ endTime: `2026-11-0${n + 1}T12:00:00Z`, startTime: `2026-11-0${n + 1}T11:00:00Z` })
    const input = { since: Date.parse("2026-11-02T00:00:00Z"), until: Date.parse("2026-11-05T00:00:00Z") }
    expect(await run(database, logs(7, at), input)).toMatchObject({ requests: 3, outside: 4 })
    await prune(database, { olderThan: Date.parse("2026-11-04T00:00:00Z"), bodiesOnly: false })
    expect(await run(database, logs(7, at))).toMatchObject({ requests: 3, known: 1, pruned: 3 })
    expect(await listImports({ database })).toHaveLength(2)
  })

  test("lines that cannot be read are listed with their numbers, and the others are imported", async () => {
    const database = await open()
    const text = `${logs(1)}\n{"request_id": \n${JSON.stringify(aSpendLog(2, { spend: "much" }))}\n${logs(2)}`
    expect(await run(database, text)).toMatchObject({
      records: 5,
      requests: 2,
      known: 1,
      bad: 2,
      bad_lines: [
        { line: 2, reason: "the line is not a JSON object" },
        { line: 3, reason: "spend is not a cost in USD" },
      ],
    })
  })

  test("a bill is not compared with imported requests, and a note says how many there are", async () => {
    const database = await open()
    await run(database, logs(2))
    const days = { since: "2026-11-02", until: "2026-11-03" }
    const line = {
      day: "2026-11-02",
      model: "gpt-4o-mini",
      tier: undefined,
      key: undefined,
      project: undefined,
      bucket: "other",
    } as const
    const amounts = { item: undefined, quantity: undefined, listCost: undefined, cost: "0.00084", requests: undefined }
    const bill = {
      provider: "openai",
      account: undefined,
      ...days,
      source: "import",
      lines: [{ ...line, ...amounts }],
      notes: [],
    } as const
    const context = { ...contextOf(database, ""), settings, log: () => {} }
    const compared = await compareAndStore(context, { ...bill, fetchedAt: "2026-11-20T00:00:00Z" })
    expect(compared).toMatchObject({ billed: "0.00084", recorded: "0" })
    expect(compared.notes).toContain(
      "2 imported requests of these days ($0.00084) are not among the recorded ones: what was billed for them is outside the gateway.",
    )
  })

  test("a copy of the database has the imports too, which can be undone there", async () => {
    const [database, target] = [await open(), (await createTestDatabase()).url]
    const { id } = await run(database, logs(3))
    const copy = await openPostgres(postgresAt(target).postgres)
    await copyDatabase(database, copy)
    await copyDatabase(database, copy)
    expect(await undo(copy, id!)).toMatchObject({ requests: 3 })
    expect((await copy.query("SELECT * FROM llm_requests")).rows).toEqual([])
    await copy.close()
  })
})
