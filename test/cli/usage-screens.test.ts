import { describe, expect, onTestFinished, test } from "vitest"
import { commandHelp, groupHelp } from "../../src/cli/_help.ts"
import type { Screen } from "../../src/cli/_print.ts"
import { toProgressLine } from "../../src/cli/_progress.ts"
import { displayWidth } from "../../src/cli/_width.ts"
import { toInvoicePage } from "../../src/cli/usage/_invoice-page.ts"
import { renderOverview } from "../../src/cli/usage/_overview.ts"
import { createTailLines } from "../../src/cli/usage/_tail-line.ts"
import { renderWaterfall } from "../../src/cli/usage/_waterfall.ts"
import { renderForecast } from "../../src/cli/usage/forecast.ts"
import { renderInvoice } from "../../src/cli/usage/invoice.ts"
import { renderRuns, toDuration } from "../../src/cli/usage/runs.ts"
import type { Overview } from "../../src/operations/usage/overview.ts"
import { type Measures, type Run, readStep, toSpans, type UsageRow } from "../../src/reports/index.ts"

const screen = (width: number, color = false): Screen => ({ width, color, drawing: true })
const PIPE: Screen = { width: undefined, color: false, drawing: false }
const NO_COLOR: Screen = { width: 80, color: false, drawing: false }

const NONE: Measures = {
  requests: 0,
  errors: 0,
  input_tokens: 0,
  cached_tokens: 0,
  cache_creation_tokens: 0,
  output_tokens: 0,
  total_cost: "0",
  share: 0,
  exact: 0,
  estimated: 0,
  unpriced: 0,
  subscription_requests: 0,
  subscription_value: "0",
}
const row = (value: string, more: Partial<UsageRow>): UsageRow => ({ ...NONE, values: [value], keyId: value, ...more })

const total: Measures = {
  ...NONE,
  requests: 12_345,
  errors: 7,
  input_tokens: 90_000_000,
  output_tokens: 3_000_000,
  total_cost: "152.345678",
  share: 1,
  exact: 12_300,
  estimated: 40,
  unpriced: 5,
  subscription_requests: 0,
  subscription_value: "0",
}
const days = ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05", "2026-11-06", "2026-11-07"]
const overview: Overview = {
  question: { by: [], period: { since: Date.parse("2026-11-01T00:00:00Z"), until: undefined, tz: "UTC" }, filters: {} },
  current: { rows: [], total, groups: 0 },
  comparedWith: { since: Date.parse("2026-10-25T00:00:00Z"), until: Date.parse("2026-11-01T00:00:00Z"), tz: "UTC" },
  before: { rows: [], total: { ...total, requests: 10_000, total_cost: "160" }, groups: 0 },
  days: {
    rows: [
      row("2026-11-01", { requests: 5000, total_cost: "60.5" }),
      row("2026-11-02", { requests: 3000, total_cost: "30.25" }),
      row("2026-11-04", { requests: 12, total_cost: "0.02" }),
      row("2026-11-06", { requests: 4000, total_cost: "45.9", estimated: 3 }),
      row("2026-11-07", { requests: 333, total_cost: "15.675678", unpriced: 5 }),
    ],
    total,
    groups: 5,
  },
  allDays: days,
  models: {
    rows: [
      row("claude-sonnet-4-5-20250929", {
        requests: 8000,
        input_tokens: 80_000_000,
        output_tokens: 2_500_000,
        total_cost: "140",
        share: 0.919,
        exact: 8000,
      }),
      row("gpt-4o-mini-2024-07-18", {
        requests: 4340,
        input_tokens: 10_000_000,
        output_tokens: 500_000,
        total_cost: "12.345678",
        share: 0.081,
        estimated: 40,
      }),
      row("mystery", { requests: 5, total_cost: null, unpriced: 5 }),
    ],
    total,
    groups: 3,
  },
  keys: {
    rows: [
      row("Production", {
        requests: 12_345,
        input_tokens: 90_000_000,
        output_tokens: 3_000_000,
        total_cost: "152.345678",
        share: 1,
        unpriced: 5,
        subscription_requests: 0,
        subscription_value: "0",
      }),
    ],
    total,
    groups: 9,
  },
  metadata: [],
  unpricedModels: ["mystery"],
  notes: [],
}

describe("the overview of usage", () => {
  test("at 80 columns", () =>
    expect(`\n${renderOverview(overview, screen(80))}`).toMatchInlineSnapshot(`
      "
      Requests    12,345 (+23% against the period before), 7 with an error
      Tokens      93,000,000 (+0% against the period before)
      Cost        >$152.35 (-5% against the period before)
      Confidence  99.6% exact, 0.3% estimated, < 0.1% unpriced (5 requests: model
                  mystery)
                  to price them: majordomo-gateway pricing reprice --since 2026-11-01

      $60.50 ┤█████
             │█████                         ▄▄▄▄▄
             │█████                         █████
             │█████ █████                   █████
             │█████ █████                   █████ ▄▄▄▄▄
             │█████ █████       ▁▁▁▁▁       █████ █████
             └─────────────────────────────────────────
              2026-11-01                     2026-11-07

      Model                       Requests      Tokens      Cost  Share
      ─────────────────────────────────────────────────────────────────────────────
      claude-sonnet-4-5-20250929     8,000  82,500,000   $140.00   91.9% █████████▎
      gpt-4o-mini-2024-07-18         4,340  10,500,000   ~$12.35    8.1% ▊
      mystery                            5           0  unpriced    0.0%
      ─────────────────────────────────────────────────────────────────────────────
      Total                         12,345  93,000,000  >$152.35

      Key         Requests      Tokens      Cost  Share
      ─────────────────────────────────────────────────────────────
      Production    12,345  93,000,000  >$152.35  100.0% ██████████
      (8 others)         0           0     $0.00    0.0%
      ─────────────────────────────────────────────────────────────
      Total         12,345  93,000,000  >$152.35
      "
    `))
  test("at 120 columns", () =>
    expect(`\n${renderOverview(overview, screen(120))}`).toMatchInlineSnapshot(`
      "
      Requests    12,345 (+23% against the period before), 7 with an error
      Tokens      93,000,000 (+0% against the period before)
      Cost        >$152.35 (-5% against the period before)
      Confidence  99.6% exact, 0.3% estimated, < 0.1% unpriced (5 requests: model mystery)
                  to price them: majordomo-gateway pricing reprice --since 2026-11-01

      $60.50 ┤█████
             │█████                         ▄▄▄▄▄
             │█████                         █████
             │█████ █████                   █████
             │█████ █████                   █████ ▄▄▄▄▄
             │█████ █████       ▁▁▁▁▁       █████ █████
             └─────────────────────────────────────────
              2026-11-01                     2026-11-07

      Model                       Requests      Tokens      Cost  Share
      ───────────────────────────────────────────────────────────────────────────────────────────
      claude-sonnet-4-5-20250929     8,000  82,500,000   $140.00   91.9% ██████████████████████
      gpt-4o-mini-2024-07-18         4,340  10,500,000   ~$12.35    8.1% ██
      mystery                            5           0  unpriced    0.0%
      ───────────────────────────────────────────────────────────────────────────────────────────
      Total                         12,345  93,000,000  >$152.35

      Key         Requests      Tokens      Cost  Share
      ───────────────────────────────────────────────────────────────────────────
      Production    12,345  93,000,000  >$152.35  100.0% ████████████████████████
      (8 others)         0           0     $0.00    0.0%
      ───────────────────────────────────────────────────────────────────────────
      Total         12,345  93,000,000  >$152.35
      "
    `))
  test("in a pipe", () =>
    expect(`\n${renderOverview(overview, PIPE)}`).toMatchInlineSnapshot(`
      "
      Requests    12,345 (+23% against the period before), 7 with an error
      Tokens      93,000,000 (+0% against the period before)
      Cost        >$152.35 (-5% against the period before)
      Confidence  99.6% exact, 0.3% estimated, < 0.1% unpriced (5 requests: model mystery)
                  to price them: majordomo-gateway pricing reprice --since 2026-11-01

      2026-11-01   $60.50  5,000 requests
      2026-11-02   $30.25  3,000 requests
      2026-11-04    $0.02  12 requests
      2026-11-06  ~$45.90  4,000 requests
      2026-11-07  >$15.68  333 requests

      Model                       Requests      Tokens      Cost  Share
      -----------------------------------------------------------------
      claude-sonnet-4-5-20250929     8,000  82,500,000   $140.00  91.9%
      gpt-4o-mini-2024-07-18         4,340  10,500,000   ~$12.35   8.1%
      mystery                            5           0  unpriced   0.0%
      -----------------------------------------------------------------
      Total                         12,345  93,000,000  >$152.35

      Key         Requests      Tokens      Cost   Share
      --------------------------------------------------
      Production    12,345  93,000,000  >$152.35  100.0%
      (8 others)         0           0     $0.00    0.0%
      --------------------------------------------------
      Total         12,345  93,000,000  >$152.35
      "
    `))
  test("with NO_COLOR on a terminal nothing is drawn, and it still fits", () => {
    const text = renderOverview(overview, NO_COLOR)
    expect(text).toMatch(/^[\x20-\x7e\n]*$/)
    expect(Math.max(...text.split("\n").map(displayWidth))).toBeLessThanOrEqual(80)
  })
  test("colors are among the sixteen of the terminal, so they are readable on dark and on light backgrounds", () => {
    const codes = renderOverview(overview, screen(80, true)).match(/\u001b\[[\d;]*m/g) ?? []
    expect([...new Set(codes)].sort()).toEqual(["\u001b[1m", "\u001b[22m", "\u001b[2m", "\u001b[36m", "\u001b[39m"])
  })
  test("without its colors the text is the same", () => {
    const plain = renderOverview(overview, screen(80, true)).replace(/\u001b\[[\d;]*m/g, "")
    expect(plain).toBe(renderOverview(overview, screen(80)))
  })
  test.each([120, 80, 60, 40])("no line is longer than %i columns, however many days there are", (width) => {
    const year = Array.from({ length: 400 }, (_, i) => new Date(Date.UTC(2026, 0, 1 + i)).toISOString().slice(0, 10))
    for (const allDays of [days, year, ["2026-11-01"]]) {
      const lines = renderOverview({ ...overview, allDays }, screen(width)).split("\n")
      const command = /majordomo-gateway pricing/
      expect(Math.max(...lines.filter((line) => !command.test(line)).map(displayWidth))).toBeLessThanOrEqual(width)
    }
  })
  test("if no day has a cost, the bars show requests", () => {
    const free = {
      ...overview,
      days: { ...overview.days, rows: [row("2026-11-02", { requests: 3, total_cost: "0" })] },
    }
    expect(renderOverview(free, screen(80))).toContain("3 requests ┤")
  })
})

const at = (seconds: number) => new Date(Date.parse("2026-11-21T10:54:43Z") + seconds * 1000)
const step = (path: string, from: number, to: number, more: Record<string, unknown> = {}) => ({
  id: "x",
  requested_at: at(from),
  created_at: at(to),
  model: "claude-haiku-4-5",
  status_code: 200,
  is_error: false,
  input_tokens: "1200",
  output_tokens: "300",
  total_cost: "0.0027",
  cost_status: "exact",
  span_path: path,
  span_name: null,
  ...more,
})
const root = toSpans(
  [
    step("planner", 0, 9, { span_name: "plan", total_cost: "0.0246" }),
    step("planner/tool:search", 10, 13),
    step("planner/tool:search", 14, 16, { status_code: 429, is_error: true, total_cost: "0", cost_status: "free" }),
    step("planner/tool:search/rank", 17, 23, { cost_status: "estimated", total_cost: "0.0265" }),
    step("writer", 24, 36, { model: "mystery", total_cost: null, cost_status: "unpriced" }),
    step("", 38, 56, { total_cost: "0.129" }),
  ].map(readStep),
)

describe("an agent run", () => {
  test("is a tree whose spans contain the sums of the spans below them", () => {
    const [planner, writer] = root.children
    expect([root.cost, root.requests, root.errors, root.unpriced, root.estimated]).toEqual(["0.1828", 6, 1, 1, 1])
    expect([planner!.path, planner!.cost, planner!.requests]).toEqual(["planner", "0.0538", 4])
    expect([planner!.children[0]!.path, planner!.children[0]!.cost]).toEqual(["planner/tool:search", "0.0292"])
    expect([writer!.cost, writer!.until - writer!.since]).toEqual([undefined, 12_000])
    expect(root.steps).toHaveLength(1)
  })
  test("at 80 columns", () =>
    expect(`\n${renderWaterfall(root, screen(80))}`).toMatchInlineSnapshot(`
    "
    Span           Model               Took  Time              Tokens      Cost
    ───────────────────────────────────────────────────────────────────────────
    planner        (4 requests)      23.0 s  ━━━━━━━            6,000  ~$0.05
      plan         claude-haiku-4-5   9.0 s  ━━━                1,500   $0.02
      tool:search  (3 requests)      13.0 s    ━━━━━            4,500  ~$0.03
        request    claude-haiku-4-5   3.0 s    ━━               1,500   $0.0027
        request    claude-haiku-4-5   2.0 s      ━              1,500   $0.00
        rank       (1 request)        6.0 s      ━━━            1,500  ~$0.03
          request  claude-haiku-4-5   6.0 s      ━━━            1,500  ~$0.03
    writer         (1 request)       12.0 s        ━━━━━        1,500  unpriced
      request      mystery           12.0 s        ━━━━━        1,500  unpriced
    request        claude-haiku-4-5  18.0 s            ━━━━━━   1,500   $0.13
    ───────────────────────────────────────────────────────────────────────────
    Total                            56.0 s                     9,000  >$0.18
    "
  `))
  test("at 120 columns", () =>
    expect(`\n${renderWaterfall(root, screen(120))}`).toMatchInlineSnapshot(`
    "
    Span           Model               Start    Took  Time                            Tokens      Cost
    ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    planner        (4 requests)        +0 ms  23.0 s  ━━━━━━━━━━━━━                    6,000  ~$0.05
      plan         claude-haiku-4-5    +0 ms   9.0 s  ━━━━━                            1,500   $0.02
      tool:search  (3 requests)      +10.0 s  13.0 s       ━━━━━━━━                    4,500  ~$0.03
        request    claude-haiku-4-5  +10.0 s   3.0 s       ━━                          1,500   $0.0027
        request    claude-haiku-4-5  +14.0 s   2.0 s         ━━                        1,500   $0.00    error 429
        rank       (1 request)       +17.0 s   6.0 s           ━━━━                    1,500  ~$0.03
          request  claude-haiku-4-5  +17.0 s   6.0 s           ━━━━                    1,500  ~$0.03
    writer         (1 request)       +24.0 s  12.0 s              ━━━━━━━━             1,500  unpriced
      request      mystery           +24.0 s  12.0 s              ━━━━━━━━             1,500  unpriced
    request        claude-haiku-4-5  +38.0 s  18.0 s                      ━━━━━━━━━━   1,500   $0.13
    ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    Total                                     56.0 s                                   9,000  >$0.18
    "
  `))
  test("in a pipe", () =>
    expect(`\n${renderWaterfall(root, PIPE)}`).toMatchInlineSnapshot(`
    "
    Span           Model               Start    Took  Tokens      Cost
    -----------------------------------------------------------------------------
    planner        (4 requests)        +0 ms  23.0 s   6,000  ~$0.05
      plan         claude-haiku-4-5    +0 ms   9.0 s   1,500   $0.02
      tool:search  (3 requests)      +10.0 s  13.0 s   4,500  ~$0.03
        request    claude-haiku-4-5  +10.0 s   3.0 s   1,500   $0.0027
        request    claude-haiku-4-5  +14.0 s   2.0 s   1,500   $0.00    error 429
        rank       (1 request)       +17.0 s   6.0 s   1,500  ~$0.03
          request  claude-haiku-4-5  +17.0 s   6.0 s   1,500  ~$0.03
    writer         (1 request)       +24.0 s  12.0 s   1,500  unpriced
      request      mystery           +24.0 s  12.0 s   1,500  unpriced
    request        claude-haiku-4-5  +38.0 s  18.0 s   1,500   $0.13
    -----------------------------------------------------------------------------
    Total                                     56.0 s   9,000  >$0.18
    "
  `))
  test.each([80, 60, 40])("no line is longer than %i columns", (width) => {
    expect(Math.max(...renderWaterfall(root, screen(width)).split("\n").map(displayWidth))).toBeLessThanOrEqual(width)
  })
  test("runs are listed in a table", () => {
    const run: Run = {
      trace: "7f3a\u001b[2J",
      requests: 6,
      errors: 1,
      unpriced: 1,
      estimated: 1,
      duration_ms: 56_000,
      input_tokens: 59_300,
      output_tokens: 4500,
      total_cost: "0.1828",
      first: at(0).toISOString(),
      last: at(56).toISOString(),
      cached_tokens: 0,
      cache_creation_tokens: 0,
      subscription_requests: 0,
      subscription_value: "0",
    }
    expect(`\n${renderRuns([run], "UTC", screen(80))}`).toMatchInlineSnapshot(`
      "
      Trace     Last           Took  Requests  Errors   Input  Output    Cost
      ───────────────────────────────────────────────────────────────────────
      7f3a�[2J  11-21 10:55  56.0 s         6       1  59,300   4,500  >$0.18
      "
    `)
  })
  test.each([
    [0, "0 ms"],
    [999, "999 ms"],
    [12_345, "12.3 s"],
    [59_999, "59.9 s"],
    [245_000, "4 min 05 s"],
    [7_380_000, "2 h 03 min"],
  ])("%i ms is %s", (ms, text) => expect(toDuration(ms)).toBe(text))
})

describe("usage tail", () => {
  const request = (more: Record<string, unknown> = {}) => ({
    created_at: at(0),
    model: "gpt-4o-mini-2024-07-18",
    provider: "openai",
    key_name: "Production",
    status_code: 200,
    outcome: "complete",
    response_time_ms: "850",
    input_tokens: "1000",
    output_tokens: "500",
    total_cost: "0.00042",
    cost_status: "exact",
    ...more,
  })
  const tail = (on: Screen) => {
    const line = createTailLines("UTC", on)
    return [
      request(),
      request({
        model: "claude-sonnet-4-5-20250929",
        provider: "anthropic",
        input_tokens: "87000",
        response_time_ms: 1900,
      }),
      request({ status_code: 529, outcome: "upstream_broke", total_cost: null, cost_status: "unpriced" }),
      request({ model: "evil\u001b[2J" }),
    ].map(line)
  }
  test("lines are aligned at 120 columns", () =>
    expect(`\n${tail(screen(120)).join("\n")}\n`).toMatchInlineSnapshot(`
    "
    10:54:43  gpt-4o-mini-2024-07-18  openai  Production  200   850ms  1,000 in  500 out   $0.00042
    10:54:43  claude-sonnet-4-5-20250929  anthropic  Production  200    1.9s  87,000 in  500 out   $0.00042
    10:54:43  gpt-4o-mini-2024-07-18      openai     Production  529 upstream broke   850ms   1,000 in  500 out   unpriced
    10:54:43  evil�[2J                    openai     Production  200                  850ms   1,000 in  500 out   $0.00042
    "
  `))
  test("lines are aligned at 80 columns", () =>
    expect(`\n${tail(screen(80)).join("\n")}\n`).toMatchInlineSnapshot(`
    "
    10:54:43  gpt-4o-mini-2024-07-18  Production  200  1,000 in  500 out   $0.00042
    10:54:43  claude-sonnet-4-5-20250929  200  87,000 in  500 out   $0.00042
    10:54:43  gpt-4o-mini-2024-07-18      529 upstream broke  500 out   unpriced
    10:54:43  evil�[2J                    200                 500 out   $0.00042
    "
  `))
  test("errors are red on a terminal with colors", () => {
    expect(tail(screen(120, true))[2]).toMatch(/^\u001b\[31m.*\u001b\[39m$/)
  })
  test.each([80, 60, 40])("no line is longer than %i columns", (width) => {
    expect(Math.max(...tail(screen(width)).map(displayWidth))).toBeLessThanOrEqual(width)
  })
})

test("progress shows a bar, a share and the numbers", () => {
  expect(toProgressLine(1_350_000, 5_000_000, "requests")).toBe(
    "██████▌                   27%  1,350,000 of 5,000,000 requests",
  )
  expect(toProgressLine(0, 0, "requests")).toContain("100%")
})

test.each([60, 40])("on a terminal of %i columns, no word of a help is broken", async (width) => {
  const { isTTY, columns } = process.stdout
  Object.assign(process.stdout, { isTTY: true, columns: width })
  onTestFinished(() => void Object.assign(process.stdout, { isTTY, columns }))
  const { default: command } = await import("../../src/cli/limits/create.ts")
  const entry = { summary: "budgets and rate limits, for all requests or for some of them, of every gateway" }
  const program = { name: "majordomo-gateway", version: "1.0.0", commands: {} }
  const title = "majordomo-gateway limits create"
  const texts = [
    commandHelp(title, command, entry as never),
    groupHelp(title, program as never, { ...entry, commands: { one: entry } } as never),
  ]
  if (width === 60) expect(texts[0]).toMatch(/--measure requests \\\n {6}--amount 60 --window minute --per key\n/)
  for (const text of texts) expect(text.split("\n").filter((line) => line.length > width)).toEqual([])
})

describe("large amounts and long names on narrow screens", () => {
  const names = ["a".repeat(80), "搜索服务团队的一个相当长的名字用于测试显示宽度".repeat(2), "🚀 Launch".repeat(9), "x"]
  const costs = ["12345678.9", "0.0000001", "1234.5", "0"]
  const sums = { requests: 1, input_tokens: 1e9, cached_tokens: 0, output_tokens: 1e9, estimated: 0, unpriced: 0 }
  const row = (amount: string) => ({ ...sums, total_cost: amount, allocated: "0", amount })
  const period = { since: "2026-10-01T00:00:00+00:00", until: "2026-11-01T00:00:00+00:00", tz: "UTC", filters: {} }
  const invoice = {
    ...period,
    by: ["Team"],
    is_final: true,
    rows: costs.map((cost, i) => ({ ...row(cost), Team: names[i] })),
    total: { ...sums, total_cost: "12346913.4000001" },
    notes: [],
  } as unknown as Parameters<typeof renderInvoice>[0]
  const forecast = {
    to_date: "222244469.63",
    unpriced: 0,
    forecast: "229179552.73",
    low: "222245858.07",
    high: "236113247.48",
  }

  test.each([60, 80, 100, 140])("no line of an invoice or of a forecast is longer than %i columns", (width) => {
    const text = renderInvoice(invoice, screen(width)) + renderForecast(forecast as never, screen(width))
    expect(Math.max(...text.split("\n").map(displayWidth))).toBeLessThanOrEqual(width)
  })

  test("an invoice has all digits, with thousands separated and the points below each other", () => {
    expect(`\n${renderInvoice(invoice, screen(60))}`).toMatchInlineSnapshot(`
      "
      Team                           Requests               Amount
      ────────────────────────────────────────────────────────────
      aaaaaaaaaaaaaaaaaaaaaaaaaaaa…         1  $12,345,678.90
      搜索服务团队的一个相当长的名…         1           $0.0000001
      🚀 Launch🚀 Launch🚀 Launch…          1       $1,234.50
      x                                     1           $0.00
      ────────────────────────────────────────────────────────────
      Total                                 1  $12,346,913.4000001
      "
    `)
  })
})

test("an invoice as a page shows names of clients as text, amounts with all digits, and its period and time zone", () => {
  const measures = {
    requests: 1200,
    input_tokens: 5,
    cached_tokens: 0,
    output_tokens: 7,
    total_cost: "1.000000000001",
    estimated: 0,
    unpriced: 0,
  }
  const page = toInvoicePage({
    since: "2026-10-01T00:00:00+01:00",
    until: "2026-11-01T00:00:00+00:00",
    tz: "Europe/Lisbon",
    by: ["Team"],
    filters: {},
    is_final: true,
    rows: [{ ...measures, Team: `<script>"a" & 'b'</script>`, allocated: "0", amount: "1.000000000001" }],
    total: { ...measures, unpriced: 2 },
    notes: [],
  })
  expect(page, "a sum without the cost of some requests says so").toContain(
    "<td>&#62;$1.000000000001</td></tr></tfoot>",
  )
  expect(page).toContain("<h1>Invoice 2026-10-01 to 2026-10-31</h1>")
  expect(page).toContain("Time zone: Europe/Lisbon.")
  expect(page).toContain("<td>&#60;script&#62;&#34;a&#34; &#38; &#39;b&#39;&#60;/script&#62;</td><td>1,200</td>")
  expect(page).toContain("<td>$1.000000000001</td>")
  expect(page).not.toContain("<script")
})
