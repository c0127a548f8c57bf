import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { beforeAll, describe, expect, it } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import type { LedgerStats } from "../../src/database/ledger/ledger.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

let url: string

beforeAll(async () => {
  url = (await createTestDatabase()).url
})

/** Rows wait until somebody drains them. */
const NEVER = { lingerMs: 600_000 }

const sumOf = ({ written, waiting, rejected, dropped }: LedgerStats) => written + waiting + rejected + dropped

async function findRows(db: Database, ids: readonly string[]): Promise<Record<string, unknown>[]> {
  const { rows } = await db.query({ text: "SELECT * FROM llm_requests_full WHERE id = ANY($1::uuid[])", values: [ids] })
  return rows
}

async function findRow(db: Database, id: string) {
  return (await findRows(db, [id]))[0]
}

describe("a row", () => {
  it("[DAT-12] is in the database as it was appended, and what is not known is NULL", async () => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory())
    const record = aRecord()
    ledger.append(record)
    expect(await ledger.drain(180_000)).toEqual({ drained: true, waiting: 0 })
    const { rows } = await db.query({ text: "SELECT * FROM llm_requests_full WHERE id = $1", values: [record.id] })
    expect(rows[0]).toMatchObject({
      majordomo_api_key_id: record.majordomo_api_key_id,
      model: "gpt-4o-mini-2024-07-18",
      created_at: new Date("2026-11-20T10:00:00.412Z"),
      first_byte_ms: 398,
      input_tokens: "1000",
      total_cost: "0.000420000000",
      usage: record.usage,
      raw_metadata: record.raw_metadata,
      streamed: false,
      error_message: null,
      request_body: null,
    })
  })

  it("is written within the linger time by itself", async () => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory())
    const record = aRecord()
    ledger.append(record)
    await expect
      .poll(
        async () =>
          (await db.query({ text: "SELECT 1 FROM llm_requests WHERE id = $1", values: [record.id] })).rowCount,
      )
      .toBe(1)
  })

  it("is on the disk when it is reported as kept, in files that only this user can read", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const ledger = await openTestLedger(db, `${dir}/journal`, { timing: { lingerMs: 60_000 } })
    await new Promise<void>((kept) => ledger.append(aRecord(), kept))
    const files = readdirSync(`${dir}/journal`)
    const reserve = Array.from({ length: 8 }, (_, i) => `reserve-${i + 1}`)
    expect(files).toEqual(["000000000001.jsonl", "counters.json", "id", ...reserve])
    expect(statSync(`${dir}/journal`).mode & 0o777).toBe(0o700)
    expect(statSync(`${dir}/journal/${files[0]}`).mode & 0o777).toBe(0o600)
    expect(statSync(`${dir}/journal/${files[0]}`).size).toBeGreaterThan(500)
  })
})

describe("the content of a row", () => {
  // Each of these makes a plain INSERT fail, or is changed by a careless one.
  const cases: [string, Partial<LogRecord>, Record<string, unknown>][] = [
    ["[DAT-01] U+0000 in a text", { model: "a\0b" }, { model: "a\ufffdb" }],
    [
      "U+0000 in the names and values of objects",
      { raw_metadata: { "K\0": "v\0" } },
      { raw_metadata: { "K\ufffd": "v\ufffd" } },
    ],
    ["lone surrogates", { error_message: "\ud800 \udfff x" }, { error_message: "\ufffd \ufffd x" }],
    ["paired surrogates and control characters", { error_message: "😀\u001b[0m" }, { error_message: "😀\u001b[0m" }],
    [
      "[DAT-02] the six characters of an escape",
      { model: "\\u0000", usage: { a: "\\ud800", b: "\\\\u0000" } },
      { model: "\\u0000", usage: { a: "\\ud800", b: "\\\\u0000" } },
    ],
    ["an error message that is too long", { error_message: "e".repeat(5000) }, { error_message: "e".repeat(500) }],
    [
      "a text whose limit lies inside a character",
      { error_message: `${"e".repeat(499)}😀` },
      { error_message: "e".repeat(499) },
    ],
    ["an endless model name", { model: "m".repeat(100_000) }, { model: "m".repeat(255) }],
    [
      "token counts that are not counts",
      { input_tokens: 2 ** 60, output_tokens: Number.NaN, cached_tokens: -5 },
      { input_tokens: "9007199254740991", output_tokens: "0", cached_tokens: "0" },
    ],
    ["token counts with a fraction", { output_tokens: 1.5 }, { output_tokens: "2" }],
    [
      "a duration of months",
      { response_time_ms: 1e12, first_byte_ms: Number.POSITIVE_INFINITY },
      { response_time_ms: 2147483647, first_byte_ms: 2147483647 },
    ],
    [
      "names that have a meaning in JavaScript",
      { raw_metadata: JSON.parse('{"__proto__":"x","constructor":"y"}') },
      { raw_metadata: JSON.parse('{"__proto__":"x","constructor":"y"}') },
    ],
    ["numbers at the limit of JSON", { usage: JSON.parse('{"n":1e308}') }, { outcome: "complete" }],
  ]

  it.each(cases)("%s", async (_, changes, expected) => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory())
    const record = aRecord(changes)
    ledger.append(record)
    await ledger.drain(180_000)
    expect(await findRow(db, record.id)).toMatchObject(expected)
    expect(ledger.stats()).toMatchObject({ written: 1, rejected: 0, batches: 1, lastError: undefined })
  })

  const rejected: [string, Partial<LogRecord>, Record<string, unknown>][] = [
    [
      "a cost that no column can hold",
      { total_cost: "123456789012" },
      { total_cost: null, cost_status: "unpriced", input_tokens: "1000" },
    ],
    ["a cost that is not a number", { input_cost: "NaN?" }, { input_cost: null, cost_status: "unpriced" }],
    [
      "a time beyond the calendar",
      { requested_at: "+275760-09-13T00:00:00.000Z" },
      { requested_at: new Date("2026-11-20T10:00:00.412Z") },
    ],
    [
      "a key id that is not a UUID",
      { majordomo_api_key_id: "nobody" },
      { majordomo_api_key_id: null, total_cost: "0.000420000000" },
    ],
    ["a very deep object", { usage: nest(100_000) }, { usage: null, total_cost: "0.000420000000" }],
  ]

  it.each(rejected)(
    "[DAT-07] [DAT-13] [DAT-14] %s: the row is written without what the database rejects",
    async (_, changes, expected) => {
      const db = await connect(url)
      const ledger = await openTestLedger(db, await makeDirectory())
      const record = aRecord(changes)
      ledger.append(record)
      await ledger.drain(180_000)
      const row = await findRow(db, record.id)
      expect(row).toMatchObject({ ...expected, model: record.model, status_code: 200 })
      expect(row!["error_message"]).toMatch(/^stored without its details: /)
      expect(ledger.stats()).toMatchObject({ written: 1, rejected: 0 })
    },
  )

  it("[DAT-10] a row with a value that cannot be serialized is written without its details", async () => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory())
    const usage: { self?: unknown } = {}
    usage.self = usage
    const record = aRecord({ usage })
    ledger.append(record)
    await ledger.drain(180_000)
    expect(await findRow(db, record.id)).toMatchObject({ usage: null, total_cost: "0.000420000000" })
  })
})

describe("rows that the database rejects", () => {
  it("[DAT-09] [LOG-03] [SEC-04] never affect their neighbors; a row that it rejects in every form is stored beside the journal", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const ledger = await openTestLedger(db, dir, { timing: NEVER })
    const good = Array.from({ length: 500 }, () => aRecord())
    const repairable = Array.from({ length: 5 }, () => aRecord({ total_cost: "99999999999" }))
    const hopeless = [aRecord({ id: "no-uuid-1" }), aRecord({ id: "no-uuid-2", model: "secret-model" })]
    const all = [...good, ...repairable]
    all.splice(100, 0, hopeless[0]!)
    all.splice(200, 0, hopeless[1]!)
    for (const record of all) ledger.append(record)
    expect(await ledger.drain(180_000)).toEqual({ drained: true, waiting: 0 })
    expect(
      (
        await findRows(
          db,
          [...good, ...repairable].map(({ id }) => id),
        )
      ).length,
    ).toBe(505)
    expect(ledger.stats()).toMatchObject({ accepted: 507, written: 505, rejected: 2, waiting: 0, dropped: 0 })
    const rejected = readFileSync(`${dir}/rejected.jsonl`, "utf8").trim().split("\n")
    expect(rejected.map((line) => JSON.parse(JSON.parse(line).line).id)).toEqual(["no-uuid-1", "no-uuid-2"])
    expect(ledger.lines.join("\n")).toContain(
      "the database rejected 2 rows even without their details (SQLSTATE 22P02)",
    )
    expect(ledger.lines.join("\n")).not.toContain("secret-model")
  })

  it("and lines that the disk has damaged are counted and set aside", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const records = [aRecord(), aRecord()]
    const [first, second] = records.map((record) => JSON.stringify(record))
    writeFileSync(`${dir}/000000000001.jsonl`, `${first}\n\0\0\0\n${second!.slice(0, 90)}"}\n${second}\n`)
    const ledger = await openTestLedger(db, dir)
    await ledger.drain(180_000)
    expect(
      (
        await findRows(
          db,
          records.map(({ id }) => id),
        )
      ).length,
    ).toBe(2)
    expect(ledger.stats()).toMatchObject({ accepted: 4, written: 2, rejected: 2 })
    const countLines = (file: string) => readFileSync(`${dir}/${file}`, "utf8").trim().split("\n").length
    expect([countLines("rejected.jsonl"), countLines("damaged.jsonl")]).toEqual([1, 1])
  })

  it("[LOG-06] a row that is damaged on the disk while it waits is not written with another amount", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const records = [aRecord(), aRecord({ total_cost: "0.00777" }), aRecord()]
    const ledger = await openTestLedger(db, dir, { timing: NEVER })
    for (const record of records) ledger.append(record)
    await ledger.close()
    const file = `${dir}/000000000001.jsonl`
    writeFileSync(file, readFileSync(file, "utf8").replace('"0.00777"', '"9.00777"'))
    const next = await openTestLedger(db, dir)
    expect((await next.drain(180_000)).drained).toBe(true)
    const ids = records.map(({ id }) => id)
    expect((await findRows(db, ids)).map(({ id }) => id).sort()).toEqual([ids[0], ids[2]].sort())
    expect(next.stats()).toMatchObject({ accepted: 3, written: 2, rejected: 1, waiting: 0 })
    expect(JSON.parse(readFileSync(`${dir}/damaged.jsonl`, "utf8")).record).toContain(ids[1])
    expect(next.lines.join("\n")).toContain("set aside a damaged record in")
    expect(next.lines.join("\n")).not.toContain("gpt-4o")
  })
})

describe("the next process", () => {
  it("[LOG-02] writes the rows that were left, each once, even when the cursor is lost", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const records = Array.from({ length: 300 }, () => aRecord())
    const ledger = await openTestLedger(db, dir, { timing: NEVER })
    for (const record of records.slice(0, 200)) ledger.append(record)
    await ledger.drain(180_000)
    for (const record of records.slice(200)) ledger.append(record)
    await ledger.close()
    expect(ledger.lines.at(-1)).toBe(
      `info ledger: 300 accepted = 200 written + 100 waiting + 0 rejected + 0 dropped; the waiting rows are in ${dir}`,
    )
    rmSync(`${dir}/counters.json`)
    const next = await openTestLedger(db, dir)
    expect(next.stats().accepted).toBe(300)
    expect((await next.drain(180_000)).drained).toBe(true)
    expect(
      (
        await findRows(
          db,
          records.map(({ id }) => id),
        )
      ).length,
    ).toBe(300)
  })

  it("writes a row for each request that was in flight, with what was known of it, and for no other", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const ledger = await openTestLedger(db, dir, { timing: NEVER })
    const [ended, died] = [aRecord(), aRecord({ requested_at: new Date(Date.now() - 5000).toISOString() })]
    for (const {
      id,
      majordomo_api_key_id,
      provider,
      model,
      request_path,
      request_method,
      requested_at,
      raw_metadata,
    } of [ended, died]) {
      ledger.recordIntent({
        id,
        majordomo_api_key_id,
        provider,
        model,
        request_path,
        request_method,
        requested_at,
        raw_metadata,
      })
    }
    ledger.append(ended)
    await ledger.close()
    for (let restart = 0; restart < 2; restart++) {
      const next = await openTestLedger(db, dir)
      await next.drain(180_000)
      await next.close()
    }
    expect(await findRow(db, ended.id)).toMatchObject({ outcome: "complete" })
    const row = await findRow(db, died.id)
    expect(row).toMatchObject({
      outcome: "gateway_died",
      model: died.model,
      raw_metadata: died.raw_metadata,
      total_cost: null,
      cost_status: "unpriced",
      status_code: 0,
    })
    // The time of the last write comes from the file system, whose clock has a resolution of a few ms.
    expect(row!["response_time_ms"]).toBeGreaterThanOrEqual(4980)
    expect(row!["response_time_ms"]).toBeLessThan(3_600_000)
  })

  it("starts although an intent is damaged: it is set aside, and everything else is recovered", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const [row, open, odd] = [aRecord(), aRecord(), aRecord()]
    const intent = (record: LogRecord) => ({ ...record, requested_at: "2026-11-20T10:00:00.000Z" })
    const damaged = JSON.stringify(intent(aRecord())).replace('"provider":', '"prov\0ider:')
    const lines = [
      JSON.stringify(row),
      `{"begin":${damaged}}`,
      `{"begin":${JSON.stringify(intent(open))}}`,
      `{"begin":${JSON.stringify({ ...odd, requested_at: "no time" })}}`,
    ]
    writeFileSync(`${dir}/000000000001.jsonl`, `${lines.join("\n")}\n`)
    for (let restart = 0; restart < 2; restart++) {
      const next = await openTestLedger(db, dir)
      expect((await next.drain(180_000)).drained).toBe(true)
      const { accepted, written, rejected } = next.stats()
      expect([accepted, rejected]).toEqual([written + rejected, restart === 0 ? 1 : 0])
      await next.close()
    }
    const rows = await findRows(db, [row.id, open.id, odd.id])
    expect(rows.map(({ outcome }) => outcome).sort()).toEqual(["complete", "gateway_died", "gateway_died"])
    expect(readFileSync(`${dir}/damaged.jsonl`, "utf8").trim().split("\n")).toHaveLength(1)
    expect(readdirSync(dir).sort()).toEqual(["counters.json", "damaged.jsonl", "id"])
  })

  it("[LOG-06] ignores the row that was torn when the last process died", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const record = aRecord()
    const ledger = await openTestLedger(db, dir, { timing: NEVER })
    ledger.recordIntent(record)
    ledger.append(aRecord())
    await ledger.close()
    appendFileSync(`${dir}/000000000001.jsonl`, JSON.stringify(record).slice(0, 200))
    const next = await openTestLedger(db, dir)
    await next.drain(180_000)
    expect(await findRow(db, record.id)).toMatchObject({ outcome: "gateway_died" })
    expect(next.stats()).toMatchObject({ accepted: 2, written: 2, rejected: 0 })
  })
})

describe("a full journal", () => {
  it("drops new rows, counts and logs them, and writes a gap row with their number", async () => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory(), {
      maxJournalBytes: 100_000,
      timing: { ...NEVER, gapIntervalMs: 50 },
    })
    const records = Array.from({ length: 200 }, () => aRecord())
    for (const record of records) {
      ledger.append(record)
      expect(sumOf(ledger.stats())).toBe(ledger.stats().accepted)
    }
    const { dropped, waiting } = ledger.stats()
    expect(dropped).toBeGreaterThan(50)
    expect(waiting + dropped).toBe(200)
    expect(ledger.stats().journalBytes).toBeLessThanOrEqual(100_000)
    expect(ledger.isFull()).toBe(false)
    await expect.poll(() => ledger.stats().waiting).toBe(waiting + 1)
    await ledger.drain(180_000)
    const { rows } = await db.query("SELECT * FROM llm_requests_full WHERE outcome = 'gap'")
    expect(rows).toMatchObject([
      {
        usage: { dropped },
        majordomo_api_key_id: null,
        cost_status: "unpriced",
        total_cost: null,
        error_message: `${dropped} requests have no rows: the journal is full`,
      },
    ])
    expect(ledger.lines).toContainEqual("error rows are dropped: the journal is full; requests are still served")
    ledger.append(aRecord())
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(ledger.stats()).toMatchObject({ accepted: 202, dropped, waiting: 0, written: 202 - dropped })
  })

  it("with `block` reports that it is full early enough to keep the rows of requests in flight, and until it is not", async () => {
    const db = await connect(url)
    const ledger = await openTestLedger(db, await makeDirectory(), {
      maxJournalBytes: 100_000,
      whenFull: "block",
      timing: NEVER,
    })
    while (!ledger.isFull()) await new Promise<void>((kept) => ledger.append(aRecord(), kept))
    for (let inFlight = 0; inFlight < 8; inFlight++) ledger.append(aRecord())
    expect(ledger.stats().dropped).toBe(0)
    await ledger.drain(180_000)
    expect(ledger.isFull()).toBe(false)
  })
})

describe("without a journal", () => {
  it("[LOG-12] rows wait in memory, up to a limit, and reach the database as well", async () => {
    const db = await connect(url)
    const dir = await makeDirectory()
    const ledger = await openTestLedger(db, dir, { journal: false, maxJournalBytes: 100_000, timing: NEVER })
    const records = Array.from({ length: 200 }, () => aRecord())
    for (const record of records) ledger.append(record)
    const { waiting, dropped } = ledger.stats()
    expect([waiting + dropped, dropped > 50]).toEqual([200, true])
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(
      (
        await findRows(
          db,
          records.map(({ id }) => id),
        )
      ).length,
    ).toBe(waiting)
    expect(readdirSync(dir)).toEqual([])
  })
})

function nest(depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}
