import { describe, expect, test } from "vitest"
import { toCsv } from "../../src/cli/_csv.ts"
import { toDollars } from "../../src/cli/_money.ts"
import type { Screen } from "../../src/cli/_print.ts"
import { renderTable, toShortIds } from "../../src/cli/_table.ts"
import { toPrintableJson, withThousands, wrapProse } from "../../src/cli/_text.ts"
import { displayWidth } from "../../src/cli/_width.ts"
import { renderBreakdown } from "../../src/cli/usage/_breakdown.ts"
import { toDimensionFields } from "../../src/operations/usage/json.ts"
import { findDimension, type Measures, type UsageAnswer, type UsageRow } from "../../src/reports/index.ts"

const screen = (width: number): Screen => ({ width, color: false, drawing: true })
const PIPE: Screen = { width: undefined, color: false, drawing: false }

function row(value: string | null, more: Partial<UsageRow>): UsageRow {
  const none: Measures = {
    requests: 1,
    errors: 0,
    input_tokens: 0,
    cached_tokens: 0,
    cache_creation_tokens: 0,
    output_tokens: 0,
    total_cost: "0",
    share: 0,
    exact: 1,
    estimated: 0,
    unpriced: 0,
    subscription_requests: 0,
    subscription_value: "0",
  }
  return { ...none, values: [value], keyId: undefined, ...more }
}

const answer: UsageAnswer = {
  groups: 6,
  rows: [
    row("claude-sonnet-4-5-20250929", {
      requests: 1204,
      input_tokens: 87_000_000,
      cached_tokens: 80_000_000,
      output_tokens: 1_000_000,
      total_cost: "63.812",
      share: 0.9,
      errors: 3,
    }),
    row("gpt-4o-mini-2024-07-18", {
      requests: 3,
      input_tokens: 3000,
      cached_tokens: 1200,
      output_tokens: 1500,
      total_cost: "0.00108",
      share: 0.0004,
      estimated: 1,
    }),
    row("mystery-model", { requests: 2, total_cost: null, unpriced: 2 }),
    row(null, { requests: 5 }),
  ],
  total: row(null, {
    requests: 1214,
    input_tokens: 87_003_000,
    cached_tokens: 80_001_200,
    output_tokens: 1_001_500,
    total_cost: "63.81308",
    share: 1,
    errors: 3,
    estimated: 1,
    unpriced: 2,
    subscription_requests: 0,
    subscription_value: "0",
  }),
}
const by = [findDimension("model")!]

describe("the table of a usage report", () => {
  test("at 80 columns", () =>
    expect(`\n${renderBreakdown(by, answer, screen(80))}`).toMatchInlineSnapshot(`
      "
      Model                  Requests       Input     Output       Cost  Share
      ────────────────────────────────────────────────────────────────────────────────
      claude-sonnet-4-5-20…     1,204  87,000,000  1,000,000   $63.81     90.0% █████▍
      gpt-4o-mini-2024-07-…         3       3,000      1,500   ~$0.0011    0.0% ▏
      mystery-model                 2           0          0   unpriced    0.0%
      (none)                        5           0          0    $0.00      0.0%
      ────────────────────────────────────────────────────────────────────────────────
      Total                     1,214  87,003,000  1,001,500  >$63.81
      And 2 more rows; the total counts them all.
      > 2 requests without a known price: what they cost is not in these sums.
      ~ 1 request estimated.
      "
    `))
  test("at 120 columns", () =>
    expect(`\n${renderBreakdown(by, answer, screen(120))}`).toMatchInlineSnapshot(`
      "
      Model                       Requests  Errors       Input      Cached     Output  Unpriced       Cost  Share
      ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
      claude-sonnet-4-5-20250929     1,204       3  87,000,000  80,000,000  1,000,000         0   $63.81     90.0% █████████
      gpt-4o-mini-2024-07-18             3       0       3,000       1,200      1,500         0   ~$0.0011    0.0% ▏
      mystery-model                      2       0           0           0          0         2   unpriced    0.0%
      (none)                             5       0           0           0          0         0    $0.00      0.0%
      ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
      Total                          1,214       3  87,003,000  80,001,200  1,001,500         2  >$63.81
      And 2 more rows; the total counts them all.
      > 2 requests without a known price: what they cost is not in these sums.
      ~ 1 request estimated.
      "
    `))
  test("in a pipe nothing is drawn and nothing is truncated", () =>
    expect(`\n${renderBreakdown(by, answer, PIPE)}`).toMatchInlineSnapshot(`
      "
      Model                       Requests  Errors       Input      Cached     Output  Unpriced       Cost  Share
      -----------------------------------------------------------------------------------------------------------
      claude-sonnet-4-5-20250929     1,204       3  87,000,000  80,000,000  1,000,000         0   $63.81    90.0%
      gpt-4o-mini-2024-07-18             3       0       3,000       1,200      1,500         0   ~$0.0011   0.0%
      mystery-model                      2       0           0           0          0         2   unpriced   0.0%
      (none)                             5       0           0           0          0         0    $0.00     0.0%
      -----------------------------------------------------------------------------------------------------------
      Total                          1,214       3  87,003,000  80,001,200  1,001,500         2  >$63.81
      And 2 more rows; the total counts them all.
      > 2 requests without a known price: what they cost is not in these sums.
      ~ 1 request estimated.
      "
    `))

  const subscribed = { subscription_requests: 204, subscription_value: "41.5" }
  const withSubscriptions: UsageAnswer = {
    groups: 2,
    rows: [row("claude-opus-4-5", { requests: 204, ...subscribed }), row("gpt-5", { total_cost: "2.25", share: 1 })],
    total: row(null, { requests: 205, total_cost: "2.25", ...subscribed }),
  }
  test("what subscriptions pay for stands beside the cost", () =>
    expect(`\n${renderBreakdown(by, withSubscriptions, screen(80))}`).toMatchInlineSnapshot(`
      "
      Model            Requests  Input  Output   Cost  API value  Share
      ─────────────────────────────────────────────────────────────────────────
      claude-opus-4-5       204      0       0  $0.00     $41.50    0.0%
      gpt-5                   1      0       0  $2.25             100.0% ██████
      ─────────────────────────────────────────────────────────────────────────
      Total                 205      0       0  $2.25     $41.50
      API value: what 204 requests of subscriptions would cost; on no bill.
      "
    `))

  test.each([80, 60, 40])("no line is longer than %i columns", (width) => {
    const long = {
      ...answer,
      total: { ...answer.total, subscription_requests: 204, subscription_value: "41.5" },
      rows: [...answer.rows, row("ft:gpt-4o-2024-08-06:some-organisation::a-very-long-suffix-日本語のモデル名", {})],
    }
    const lines = renderBreakdown(by, long, screen(width))
      .split("\n")
      .filter((line) => !/^(And|API value:|[>~])/.test(line))
    expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(width)
  })

  test("[OUT-03] a name cannot send control sequences to the terminal", () => {
    const evil = { ...answer, rows: [row("\u001b]0;title\u0007\u001b[2J\r\n\u009b31m\u202egnp", {})] }
    expect(renderBreakdown(by, evil, screen(80))).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
  })

  test("two keys with the same name are shown with their ids", () => {
    const keys = {
      ...answer,
      rows: [row("ci", { keyId: "aaaaaaaa-1" }), row("ci", { keyId: "bbbbbbbb-2" }), row("prod", { keyId: "c" })],
    }
    const table = renderBreakdown([findDimension("key")!], keys, PIPE)
    expect(table).toContain("ci (aaaaaaaa)")
    expect(table).toContain("ci (bbbbbbbb)")
    expect(table).not.toContain("prod (")
  })
})

describe("[U9] amounts of dollars are shown to cents, and below a cent with two significant digits", () => {
  test.each([
    ["0", "$0.00"],
    ["0.5", "$0.50"],
    ["0.00108", "$0.0011"],
    ["0.000000000001", "$0.000000000001"],
    ["0.000000123456", "$0.00000012"],
    ["0.000001", "$0.000001"],
    ["0.00996", "$0.01"],
    ["0.0123456789", "$0.01"],
    ["0.0002226", "$0.00022"],
    ["12.3456789", "$12.35"],
    ["-1.5", "-$1.50"],
    ["1234567.891", "$1,234,567.89"],
    ["99999.999", "$100,000.00"],
    ["0.9999999", "$1.00"],
    ["100", "$100.00"],
  ])("%s -> %s", (decimal, shown) => expect(toDollars(decimal)).toBe(shown))
})

describe("a table that is too wide", () => {
  const cells = (text: string) => [text]
  const id = "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d"
  const left = { align: "left" } as const

  test("[U10] first has short cells, and hides columns only then", () => {
    const columns = [
      { ...left, title: "ID", cells: cells(id), short: toShortIds([id]) },
      { ...left, title: "Name", cells: cells("Engineering"), shrinks: true },
      { ...left, title: "Description", cells: cells("what the team needs"), hideRank: 1 },
    ]
    expect(renderTable(columns, screen(60)).split("\n")[2]).toBe("0199f3c2  Engineering  what the team needs")
    expect(renderTable(columns, screen(30)).split("\n")[2]).toBe("0199f3c2  Engineering")
    expect(renderTable(columns, PIPE)).toContain(id)
  })

  test("has no line that is wider than the screen while a column can shrink", () => {
    const wide = [
      "提示缓存的模型名称非常长而且没有空格",
      "👨‍👩‍👧‍👦 family",
      "gpt-5-mini-2025-08-07-with-a-very-long-name",
    ]
    const columns = [
      { ...left, title: "Model", cells: wide, shrinks: true },
      { ...left, title: "Key", cells: wide, shrinks: true },
      { title: "Cost", align: "right" as const, cells: wide.map(() => "$1,234,567.89") },
    ]
    for (const width of [60, 80, 100, 140]) {
      const lines = renderTable(columns, screen(width)).trimEnd().split("\n")
      expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(width)
      expect(new Set(lines.slice(2).map(displayWidth)).size).toBe(1)
    }
  })

  test("has no empty body: without rows, only the total is below the titles", () => {
    const columns = [{ title: "Requests", align: "right" as const, cells: [], total: "2,071" }]
    expect(renderTable(columns, PIPE)).toBe("Requests\n--------\n   2,071\n")
  })

  test("short ids differ from each other", () => {
    expect(toShortIds(["0199f3c2-7a51", "0199f3c2-7b51", "11111111-0000"])).toEqual([
      "0199f3c2-7a",
      "0199f3c2-7b",
      "11111111",
    ])
  })
})

test("an emoji of several characters takes two columns, a combining mark none", () => {
  expect(["👨‍👩‍👧", "🇵🇹", "é", "模型", "✅", "한"].map(displayWidth)).toEqual([2, 2, 1, 4, 2, 2])
})

test("[U17] prose is broken between words, and commands to copy are not", () => {
  expect(wrapProse("one two three\n  curl --a-long-option value", 9)).toBe(
    "one two\nthree\n  curl --a-long-option value",
  )
})

describe("JSON", () => {
  test("[S13] escapes what would change the direction of writing or control a terminal, and says the same", () => {
    const value = { "a\u202e": ["\u2066x\u0085\u2028\n"], n: 1 }
    const text = toPrintableJson(value, 2)
    expect(text).not.toMatch(/[\u202e\u2066\u0085\u2028]/)
    expect(text.split("\n").length).toBeGreaterThan(3)
    expect(JSON.parse(text)).toEqual(value)
  })

  test("[S13] a metadata name such as __proto__ is a field like any other", () => {
    const by = [findDimension("__proto__")!]
    const fields = { ...toDimensionFields(by, { values: ["v"] } as unknown as Parameters<typeof toDimensionFields>[1]) }
    expect(JSON.stringify(fields)).toBe('{"__proto__":"v"}')
  })
})

describe("CSV", () => {
  test.each([
    ["=1+1", "'=1+1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["-2+3", "'-2+3"],
    ["a,b", "a,b"],
    ['say "hi"', 'say "hi"'],
    ["\t=1", "'\ufffd=1"],
    ["a\u001b[2J\nb", "a\ufffd[2J\ufffdb"],
    ["a\u202eb\u2066c\u061c", "a\ufffdb\ufffdc\ufffd"],
  ])("%j becomes text that no spreadsheet executes", (given, read) => {
    const line = toCsv(["x"], [[given]]).split("\n")[1]!
    expect(line.startsWith('"') ? line.slice(1, -1).replaceAll('""', '"') : line).toBe(read)
  })

  test("numbers and money are unchanged, and null is an empty cell", () => {
    expect(toCsv(["a", "b", "c"], [["-0.5", "0.00108", null]])).toBe("a,b,c\n-0.5,0.00108,\n")
  })
})

test("a number has separators before its point only", () => {
  expect(["1234567", 1000n, "0.00000315", "1234.56789", -1234].map(withThousands)).toEqual([
    "1,234,567",
    "1,000",
    "0.00000315",
    "1,234.56789",
    "-1,234",
  ])
})
