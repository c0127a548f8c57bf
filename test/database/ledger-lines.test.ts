import { expect, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import { WRITTEN_COLUMNS } from "../../src/core/row-columns.ts"
import { toIntentLine, toLine, toMinimalLine } from "../../src/database/ledger/serialize.ts"
import { createTickBatch } from "../../src/database/ledger/tick-batch.ts"
import { replaceUnstorable } from "../../src/database/ledger/unstorable.ts"
import { createRandom } from "../support/random-usage.ts"
import { aRecord } from "./_ledger.ts"

const PIECES = [
  "a",
  "Z",
  " ",
  '"',
  "\\",
  "\n",
  "\t",
  "\u0000",
  "\u001f",
  "\u007f",
  "é",
  "漢",
  "😀",
  "\ud800",
  "\udc00",
  "\\u0000",
  "</script>",
]

/** Columns whose texts are written by the gateway itself: nothing in them has to be escaped. */
const LITERAL = new Set<string>([
  "id",
  "majordomo_api_key_id",
  "provider_api_key_hash",
  "requested_at",
  "responded_at",
  "input_cost",
  "output_cost",
  "total_cost",
  "cost_status",
  "usage_source",
  "outcome",
  "source",
  "billing",
  "transport",
  "websocket_id",
  "created_at",
] satisfies (keyof LogRecord)[])

const OPTIONAL = new Set<string>([
  "majordomo_api_key_id",
  "provider_api_key_hash",
  "provider_api_key_alias",
  "requested_model",
  "first_byte_ms",
  "input_cost",
  "output_cost",
  "total_cost",
  "price",
  "billing",
  "transport",
  "websocket_id",
  "usage",
  "dialect",
  "error_message",
  "raw_metadata",
  "request_body",
  "response_body",
  "s3_key",
  "source",
  "provider_request_id",
  "usage_key",
] satisfies (keyof LogRecord)[])

/** Returns a record whose texts contain what is difficult for JSON and PostgreSQL. */
function randomRecord(random: () => number): LogRecord {
  const many = (most: number) => Math.floor(random() * most)
  const text = () => Array.from({ length: many(8) }, () => PIECES[many(PIECES.length)]).join("")
  const maybe = (make: () => unknown) => (random() < 0.5 ? make() : undefined)
  const count = () => Math.floor(random() ** 4 * 2 ** 31)
  const json = (depth: number): unknown => {
    const kind = many(depth > 2 ? 4 : 6)
    if (kind === 4) return [json(depth + 1), json(depth + 1)]
    if (kind === 5) return { [text()]: json(depth + 1), [text()]: json(depth + 1) }
    return [text(), count(), null, true][kind]
  }
  const line = () => ({
    side: "input",
    bucket: "cacheRead",
    kind: maybe(text),
    model: text(),
    quantity: count(),
    rate: "0.15",
    per: "million",
    factor: "1",
    amount: "0.000000000001",
    source: text(),
    date: maybe(text),
  })
  const price = () => ({
    lines: Array.from({ length: many(4) }, line),
    tier: maybe(text),
    factors: maybe(() => [{ name: text(), value: "0.5" }]),
    reason: maybe(text),
    reported: maybe(() => "1.5"),
    computed: maybe(() => "1.4"),
  })
  const toValue = (name: string, type: string): unknown => {
    if (name === "price") return price()
    if (type === "jsonb") return json(0)
    if (type === "bigint" || type === "integer") return count()
    if (type === "boolean") return random() < 0.5
    return LITERAL.has(name) ? `own ${count()}` : text()
  }
  const values: Record<string, unknown> = {}
  for (const [name, { sql }] of WRITTEN_COLUMNS) {
    if (!OPTIONAL.has(name) || random() < 0.6) values[name] = toValue(name, sql)
  }
  return values as unknown as LogRecord
}

test("a line has every column of the record, as JSON.stringify writes it, with any texts", () => {
  const random = createRandom(20_261_121)
  for (let i = 0; i < 3000; i++) {
    const record = randomRecord(random)
    const line = toLine(record)
    expect(line).not.toContain("\n")
    expect(JSON.parse(line)).toEqual(JSON.parse(replaceUnstorable(JSON.stringify(record))))
  }
})

test("a text that is too long for its column is truncated between characters, also in the smallest form of a row", () => {
  const record = { ...aRecord(), model: `${"x".repeat(254)}🎉` }
  expect(JSON.parse(toLine(record)).model).toBe("x".repeat(254))
  expect(JSON.parse(toMinimalLine(record, "too long")).model).toBe("x".repeat(254))
})

test("an intent has the id of its row first, and what is known when the request is forwarded", () => {
  const start = {
    id: "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d",
    majordomo_api_key_id: "k",
    provider: 'a "provider"',
    model: "m",
    request_path: "/v1/\u0000",
    request_method: "POST",
    requested_at: "2026-11-21T15:16:43.029Z",
    raw_metadata: { "User-Id": "é" },
  }
  const line = toIntentLine(start)
  expect(line.startsWith(`{"id":"${start.id}"`)).toBe(true)
  expect(JSON.parse(line)).toEqual({ ...start, request_path: "/v1/\ufffd" })
})

test("an intent whose row is in the same write is not written; any other is, in its place", () => {
  const taken: string[][] = []
  const batch = createTickBatch((entries) =>
    taken.push(entries.map(({ id, isIntent }) => (isIntent ? `intent ${id}` : id))),
  )
  const add = (id: string, isIntent: boolean) => batch.add({ id, line: `{"id":"${id}"}`, isIntent })
  add("a", true)
  add("b", true)
  add("a", false)
  add("c", true)
  batch.flush()
  add("b", false)
  batch.flush()
  expect(taken).toEqual([["intent b", "a", "intent c"], ["b"]])
})

test("an intent alone is written at the end of the tick", async () => {
  const taken = new Promise((resolve) => createTickBatch(resolve).add({ id: "a", line: '{"id":"a"}', isIntent: true }))
  expect(await taken).toMatchObject([{ id: "a", isIntent: true }])
})
