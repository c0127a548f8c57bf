const MINE = 'provider=~"$provider",model=~"$model",key=~"$key"'
/** Histograms have no label for keys. */
const TIMED = 'provider=~"$provider",model=~"$model"'
// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the dashboard
const DATASOURCE = { type: "prometheus", uid: "${datasource}" }
const WIDTH = 24

const cost = (more = "") => `majordomo_cost_usd_total{${MINE}${more}}`
/** All gateways of a database show the same sum. */
const billed = (period: string) =>
  `sum(max by (provider, model) (majordomo_usage_cost_usd{${TIMED},period="${period}"})) or vector(0)`
const requests = (more = "") => `majordomo_requests_total{${MINE}${more}}`
const tokens = (kinds: string) => `majordomo_tokens_total{${MINE},kind=~"${kinds}"}`
const ALL_INPUT = "input|cache_read|cache_write|cache_write_1h"
const INPUT_BY_MODEL = `sum by (model) (rate(${tokens(ALL_INPUT)}[$__rate_interval]))`
const ERRORS = `rate(${requests(',status=~"[45]..",outcome!~"rejected|client_left"')}[$__rate_interval]) or rate(${requests(',status!~"[45]..",outcome=~"upstream_broke|shutdown"')}[$__rate_interval])`
const quantile = (q: number, name: string, by = "") =>
  `histogram_quantile(${q}, sum by (le${by}) (rate(${name}_bucket{${TIMED}}[$__rate_interval])))`
const QUANTILES = [0.5, 0.95, 0.99]

interface Query {
  readonly expr: string
  readonly legend?: string
  /** Whether the panel shows the present value, and not a line. */
  readonly isTable?: boolean
}

type Json = Readonly<Record<string, unknown>>

interface Panel {
  readonly title: string
  readonly about: string
  readonly type: string
  readonly w: number
  readonly h: number
  readonly queries: readonly Query[]
  readonly unit?: string
  /** How lines are drawn. */
  readonly custom?: Json
  readonly options?: Json
  readonly field?: Json
  /** Further members of the panel. */
  readonly more?: Json
}

function stat(title: string, about: string, expr: string, more: Partial<Panel> = {}): Panel {
  const options = {
    colorMode: "value",
    graphMode: "none",
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
  }
  return { title, about, type: "stat", w: 4, h: 4, queries: [{ expr, isTable: true }], options, ...more }
}

function chart(title: string, about: string, queries: readonly Query[], more: Partial<Panel> = {}): Panel {
  const options = { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } }
  return { title, about, type: "timeseries", w: 12, h: 8, queries, options, ...more }
}

const STACKED = { fillOpacity: 35, lineWidth: 1, stacking: { group: "A", mode: "normal" }, showPoints: "never" }
const LINES = { fillOpacity: 5, lineWidth: 2, showPoints: "never" }
const thresholds = (...steps: (readonly [color: string, value: number | null])[]) => ({
  thresholds: { mode: "absolute", steps: steps.map(([color, value]) => ({ color, value })) },
})
const NO_PROBLEM = thresholds(["green", null], ["red", 1])

const ROWS: readonly (readonly [title: string, panels: readonly Panel[]])[] = [
  [
    "Spend",
    [
      stat("Today", "What requests cost since midnight (UTC), of all keys, as `usage` says.", billed("day"), {
        unit: "currencyUSD",
      }),
      stat(
        "This month",
        "What requests cost since the first of the month (UTC), of all keys, as `usage` says.",
        billed("month"),
        { unit: "currencyUSD" },
      ),
      stat("Per hour", "What requests cost per hour at the rate of the last hour.", `sum(rate(${cost()}[1h])) * 3600`, {
        unit: "currencyUSD",
      }),
      stat(
        "From caches",
        "The share of input tokens that were read from the caches of providers.",
        `(sum(increase(${tokens("cache_read")}[$__range])) or vector(0)) / sum(increase(${tokens(ALL_INPUT)}[$__range]))`,
        { unit: "percentunit" },
      ),
      stat(
        "Estimated",
        "The share of the cost that is estimated.",
        `(sum(increase(majordomo_estimated_cost_usd_total{${MINE}}[$__range])) or vector(0)) / sum(increase(${cost()}[$__range]))`,
        { unit: "percentunit", field: thresholds(["green", null], ["orange", 0.05]) },
      ),
      stat(
        "Unpriced requests",
        "Requests without a known price. Their cost is missing in every sum.",
        `sum(increase(majordomo_unpriced_requests_total{${MINE}}[$__range])) or vector(0)`,
        { unit: "short", field: NO_PROBLEM },
      ),
      chart(
        "Spend per hour by provider",
        "USD per hour.",
        [{ expr: `sum by (provider) (rate(${cost()}[$__rate_interval])) * 3600`, legend: "{{provider}}" }],
        { unit: "currencyUSD", custom: STACKED },
      ),
      chart(
        "Spend per hour by model",
        "USD per hour, the ten models that cost most.",
        [{ expr: `topk(10, sum by (model) (rate(${cost()}[$__rate_interval])) * 3600)`, legend: "{{model}}" }],
        { unit: "currencyUSD", custom: STACKED },
      ),
      chart(
        "Spend per hour by $group",
        "USD per hour, the ten values that cost most.",
        [{ expr: `topk(10, sum by ($group) (rate(${cost()}[$__rate_interval])) * 3600)`, legend: "{{$group}}" }],
        { unit: "currencyUSD", custom: STACKED },
      ),
      {
        title: "Spend in this period",
        about: "What each model and key has cost in the period of the dashboard.",
        type: "table",
        w: 12,
        h: 8,
        queries: [
          { expr: `sort_desc(sum by (provider, model, key) (increase(${cost()}[$__range])) > 0)`, isTable: true },
        ],
        unit: "currencyUSD",
        options: { showHeader: true, sortBy: [{ displayName: "Cost", desc: true }] },
        more: {
          transformations: [
            {
              id: "organize",
              options: {
                excludeByName: { Time: true },
                renameByName: { Value: "Cost", provider: "Provider", model: "Model", key: "Key" },
              },
            },
          ],
        },
      },
    ],
  ],
  [
    "Tokens",
    [
      chart(
        "Tokens by kind",
        "Tokens per second. Each token is of one kind.",
        [{ expr: `sum by (kind) (rate(${tokens(".*")}[$__rate_interval]))`, legend: "{{kind}}" }],
        { unit: "short", custom: STACKED },
      ),
      chart(
        "Input from caches by model",
        "The share of input tokens that were read from the caches of providers.",
        [
          {
            expr: `(sum by (model) (rate(${tokens("cache_read")}[$__rate_interval])) or 0 * ${INPUT_BY_MODEL}) / ${INPUT_BY_MODEL}`,
            legend: "{{model}}",
          },
        ],
        { unit: "percentunit", custom: LINES },
      ),
    ],
  ],
  [
    "Requests",
    [
      chart(
        "Requests by status",
        "Requests per second.",
        [{ expr: `sum by (status) (rate(${requests()}[$__rate_interval]))`, legend: "{{status}}" }],
        { unit: "reqps", custom: STACKED, w: 8 },
      ),
      chart(
        "Failed requests by provider",
        "The share of requests with an error status or a broken answer.",
        [
          {
            expr: `sum by (provider) (${ERRORS}) / sum by (provider) (rate(${requests(',outcome!="rejected"')}[$__rate_interval]))`,
            legend: "{{provider}}",
          },
        ],
        { unit: "percentunit", custom: LINES, w: 8 },
      ),
      chart(
        "Unusual endings",
        "Requests per second that did not end as a complete answer.",
        [
          {
            expr: `sum by (outcome) (rate(${requests(',outcome!="complete"')}[$__rate_interval]))`,
            legend: "{{outcome}}",
          },
        ],
        { unit: "reqps", custom: STACKED, w: 8 },
      ),
      chart(
        "Time of complete answers",
        "The median and the slowest 5 % and 1 %.",
        QUANTILES.map((q) => ({ expr: quantile(q, "majordomo_request_duration_seconds"), legend: `p${q * 100}` })),
        { unit: "s", custom: LINES, w: 8 },
      ),
      chart(
        "Time to the first byte",
        "From the arrival of a request to the head of the provider's answer.",
        QUANTILES.map((q) => ({ expr: quantile(q, "majordomo_time_to_first_byte_seconds"), legend: `p${q * 100}` })),
        { unit: "s", custom: LINES, w: 8 },
      ),
      chart(
        "Slow answers by model",
        "The time that 95 % of the answers of a model take at most.",
        [{ expr: quantile(0.95, "majordomo_request_duration_seconds", ", model"), legend: "{{model}}" }],
        { unit: "s", custom: LINES, w: 8 },
      ),
    ],
  ],
  [
    "Limits",
    [
      {
        title: "Used of each limit",
        about: "The used part in the present window, of the value that has used most.",
        type: "bargauge",
        w: 12,
        h: 8,
        queries: [
          { expr: "sort_desc(max by (limit) (majordomo_limit_used_ratio))", legend: "{{limit}}", isTable: true },
        ],
        unit: "percentunit",
        field: { min: 0, max: 1, ...thresholds(["green", null], ["orange", 0.8], ["red", 1]) },
        options: {
          displayMode: "gradient",
          orientation: "horizontal",
          reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
        },
      },
      chart(
        "Rejected by limits",
        "Requests per second.",
        [{ expr: "sum by (limit) (rate(majordomo_limit_rejections_total[$__rate_interval]))", legend: "{{limit}}" }],
        { unit: "reqps", custom: STACKED },
      ),
    ],
  ],
  [
    "The gateway",
    [
      stat("Gateways", "Gateways that answer.", "count(majordomo_build_info) or vector(0)", {
        unit: "short",
        field: thresholds(["red", null], ["green", 1]),
      }),
      stat(
        "Rows lost",
        "Rows that were dropped or rejected in this period.",
        "sum(increase(majordomo_rows_dropped_total[$__range]) + increase(majordomo_rows_rejected_total[$__range]))",
        {
          unit: "short",
          field: NO_PROBLEM,
        },
      ),
      stat("Rows waiting", "Rows that wait for the database.", "sum(majordomo_rows_waiting)", {
        unit: "short",
        field: thresholds(["green", null], ["orange", 10_000]),
      }),
      stat("Stalled", "For how long no row could be written.", "max(majordomo_rows_stalled_seconds)", {
        unit: "s",
        field: thresholds(["green", null], ["red", 60]),
      }),
      stat(
        "Journal",
        "The used part of ledger.max_journal_size.",
        "max(majordomo_journal_bytes / (majordomo_journal_max_bytes > 0))",
        {
          unit: "percentunit",
          field: thresholds(["green", null], ["orange", 0.5], ["red", 0.8]),
        },
      ),
      stat("Age of prices", "Time since a price list was fetched.", "max(majordomo_price_list_age_seconds)", {
        unit: "s",
        field: thresholds(["green", null], ["orange", 7 * 86_400]),
      }),
      chart(
        "Rows",
        "Rows per second, and rows that wait.",
        [
          { expr: "sum(rate(majordomo_rows_written_total[$__rate_interval]))", legend: "written per second" },
          { expr: "sum(majordomo_rows_waiting)", legend: "waiting" },
        ],
        { unit: "short", custom: LINES },
      ),
      chart(
        "Running now",
        "Requests, streams, WebSockets and requests that wait for a connection to their provider.",
        [
          { expr: "sum(majordomo_open_requests)", legend: "requests" },
          { expr: "sum(majordomo_open_streams)", legend: "streams" },
          { expr: "sum(majordomo_open_websockets)", legend: "WebSockets" },
          { expr: "sum(majordomo_upstream_waiting_requests)", legend: "waiting for a connection" },
        ],
        { unit: "short", custom: LINES },
      ),
      chart(
        "CPU",
        "CPU cores that each gateway uses.",
        [
          {
            expr: "sum by (instance) (rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) majordomo_build_info)",
            legend: "{{instance}}",
          },
        ],
        { unit: "short", custom: LINES, w: 8 },
      ),
      chart(
        "Memory",
        "Resident memory of each gateway.",
        [{ expr: "process_resident_memory_bytes and on (instance) majordomo_build_info", legend: "{{instance}}" }],
        { unit: "bytes", custom: LINES, w: 8 },
      ),
      chart(
        "Lag of the event loop",
        "How late timers ran, at most.",
        [{ expr: 'max by (instance) (majordomo_event_loop_lag_seconds{quantile="1"})', legend: "{{instance}}" }],
        { unit: "s", custom: LINES, w: 8 },
      ),
    ],
  ],
]

const VARIABLES = [
  {
    name: "datasource",
    label: "Prometheus",
    type: "datasource",
    query: "prometheus",
    current: {},
    hide: 0,
    refresh: 1,
    regex: "",
  },
  ...["provider", "model", "key"].map((name) => ({
    name,
    label: name[0]?.toUpperCase() + name.slice(1),
    type: "query",
    datasource: DATASOURCE,
    definition: `label_values(majordomo_requests_total, ${name})`,
    query: { qryType: 1, query: `label_values(majordomo_requests_total, ${name})`, refId: `variable-${name}` },
    allValue: ".*",
    includeAll: true,
    multi: true,
    current: { text: ["All"], value: ["$__all"] },
    refresh: 2,
    sort: 1,
  })),
  {
    name: "group",
    label: "Group",
    description: "A label of telemetry.labels, such as team, or key.",
    type: "custom",
    query: "key,team,feature,client,user_id",
    allowCustomValue: true,
    current: { text: "key", value: "key" },
    includeAll: false,
    multi: false,
  },
]

interface Row {
  readonly id: number
  readonly type: "row"
  readonly title: string
  readonly collapsed: boolean
  readonly gridPos: Place
  readonly panels: readonly []
}

interface Place {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

function toPanel(panel: Panel, id: number, gridPos: Place) {
  const { title, about, type, queries, unit, custom, options, field, more } = panel
  return {
    id,
    type,
    title,
    description: about,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: {
      defaults: { unit, noValue: type === "stat" ? "–" : undefined, custom, ...field },
      overrides: [],
    },
    options,
    targets: queries.map(({ expr, legend, isTable }, i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: DATASOURCE,
      expr,
      ...(legend && { legendFormat: legend }),
      ...(isTable
        ? { instant: true, range: false, format: type === "table" ? "table" : "time_series" }
        : { range: true }),
    })),
    ...more,
  }
}

/** Returns the dashboard for Grafana, in its JSON model. */
export function toDashboard() {
  const panels: (Row | ReturnType<typeof toPanel>)[] = []
  let y = 0
  for (const [title, row] of ROWS) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
      panels: [],
    })
    y++
    let x = 0
    let height = 0
    for (const panel of row) {
      if (x + panel.w > WIDTH) {
        x = 0
        y += height
        height = 0
      }
      panels.push(toPanel(panel, panels.length + 1, { x, y, w: panel.w, h: panel.h }))
      x += panel.w
      height = Math.max(height, panel.h)
    }
    y += height
  }
  return {
    title: "Majordomo Gateway",
    uid: "majordomo-gateway",
    description: "What LLM calls cost, who spent it, and how the gateway is. docs/metrics.md describes the metrics.",
    tags: ["llm", "majordomo"],
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "1m",
    time: { from: "now-24h", to: "now" },
    timezone: "browser",
    templating: { list: VARIABLES },
    annotations: { list: [] },
    links: [],
    panels,
  }
}

/** Returns the text of docs/grafana/majordomo.json. */
export function toDashboardText(): string {
  return `${JSON.stringify(toDashboard(), null, 2)}\n`
}
