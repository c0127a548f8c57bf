import { expect, test } from "vitest"
import type { LogRecord } from "../../src/core/call.ts"
import { COLUMNS } from "../../src/database/ledger/columns.ts"
import { replaceUnstorable, toLine, toStartLine } from "../../src/database/ledger/serialise.ts"
import { createTurn } from "../../src/database/ledger/turn.ts"
import { createRandom } from "../support/random-usage.ts"

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

/** A record whose texts hold what JSON and PostgreSQL find hard. */
function randomRecord(random: () => number): LogRecord {
  const text = () =>
    Array.from({ length: Math.floor(random() * 8) }, () => PIECES[Math.floor(random() * PIECES.length)]).join("")
  const count = () => Math.floor(random() ** 4 * 2 ** 31)
  const json = (depth: number): unknown => {
    const kind = Math.floor(random() * (depth > 2 ? 4 : 6))
    if (kind === 4) return [json(depth + 1), json(depth + 1)]
    if (kind === 5) return { [text()]: json(depth + 1), [text()]: json(depth + 1) }
    return [text(), count(), null, true][kind]
  }
  const values: Record<string, unknown> = {}
  for (const [name, type] of COLUMNS) {
    const value =
      type === "jsonb"
        ? json(0)
        : type === "bigint" || type === "integer"
          ? count()
          : type === "boolean"
            ? random() < 0.5
            : text()
    values[name] = isOptional(name) && random() < 0.4 ? undefined : value
  }
  return values as unknown as LogRecord
}

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
  "usage",
  "error_message",
  "raw_metadata",
  "request_body",
  "response_body",
  "s3_key",
] satisfies (keyof LogRecord)[])
const isOptional = (name: string) => OPTIONAL.has(name)

test("a line is the record as JSON writes it, every column of it, whatever its texts are", () => {
  const random = createRandom(20_261_121)
  for (let i = 0; i < 3000; i++) {
    const record = randomRecord(random)
    const line = toLine(record)
    expect(line).not.toContain("\n")
    expect(JSON.parse(line)).toEqual(JSON.parse(replaceUnstorable(JSON.stringify(record))))
  }
})

test("a begin line has the row's id first and what is known by then", () => {
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
  const line = toStartLine(start)
  expect(line.startsWith(`{"id":"${start.id}"`)).toBe(true)
  expect(JSON.parse(line)).toEqual({ ...start, request_path: "/v1/\ufffd" })
})

test("a promise whose row comes in the same write is not written; any other is, in its place", () => {
  const taken: string[][] = []
  const turn = createTurn((entries) => taken.push(entries.map(({ id, begins }) => (begins ? `begin ${id}` : id))))
  const add = (id: string, begins: boolean) => turn.add({ id, line: `{"id":"${id}"}`, begins })
  add("a", true)
  add("b", true)
  add("a", false)
  add("c", true)
  turn.flush()
  add("b", false)
  turn.flush()
  expect(taken).toEqual([["begin b", "a", "begin c"], ["b"]])
})

test("a promise alone is written by itself, soon", async () => {
  const taken = new Promise((resolve) => createTurn(resolve).add({ id: "a", line: '{"id":"a"}', begins: true }))
  expect(await taken).toMatchObject([{ id: "a", begins: true }])
})
