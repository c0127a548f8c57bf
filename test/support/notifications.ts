import type { Notification, NotificationKind } from "../../src/core/notification.ts"

const AT = "2026-11-28T15:05:00.000Z"
const GROUPS = [
  { value: "gpt-5.5", cost: "612.4410231", previous_cost: "540.11", requests: 18_204 },
  { value: "claude-opus-5.5", cost: "411.09", previous_cost: "198.2", requests: 2_911 },
  { value: "gemini-3.6-flash", cost: "88.17", previous_cost: "91.4", requests: 40_230 },
  { value: "gpt-5.5-mini", cost: "12.02", previous_cost: "0", requests: 9_120 },
]

/** One notification of each kind, as gateways build them. */
export const NOTIFICATIONS: { readonly [K in NotificationKind]: Notification<K> } = {
  limit: {
    kind: "limit",
    subject: "0198f1c2-7d4e-7a11-9c00-5b1f8a3e2d10:80:ada",
    window: "2026-11",
    severity: "warning",
    at: AT,
    facts: {
      limit_id: "0198f1c2-7d4e-7a11-9c00-5b1f8a3e2d10",
      name: "per-user",
      value: "ada",
      percent: 80,
      used: "40.123456",
      amount: "50",
      unit: "USD",
      action: "block",
      resets_at: "2026-12-01T00:00:00.000Z",
    },
  },
  anomaly: {
    kind: "anomaly",
    subject: "spend",
    window: "2026-11-28T14",
    severity: "warning",
    at: AT,
    facts: {
      period: "hour",
      since: "2026-11-28T13:00:00.000Z",
      until: "2026-11-28T14:00:00.000Z",
      time_zone: "Europe/Berlin",
      cost: "48.2017",
      expected: "5.94",
      upper: "17.82",
      drivers: [
        { dimension: "key", value: "ci", cost: "44.9", expected: "1.1" },
        { dimension: "model", value: "gpt-5.5", cost: "41.1", expected: "2.02" },
        { dimension: "Feature", value: "nightly-evals", cost: "39.5", expected: "0" },
      ],
    },
  },
  unpriced_model: {
    kind: "unpriced_model",
    subject: "openai/gpt-6-preview",
    window: "",
    severity: "warning",
    at: AT,
    facts: {
      provider: "openai",
      model: "gpt-6-preview",
      key: "search",
      request_id: "0198f1c2-7d4e-7a11-9c00-000000000001",
    },
  },
  price_changed: {
    kind: "price_changed",
    subject: "anthropic/claude-opus-5.5",
    window: "2026-11-28",
    severity: "info",
    at: AT,
    facts: {
      provider: "anthropic",
      model: "claude-opus-5.5",
      source: "llm-prices.com",
      changes: [
        { component: "input", before: "5", after: "4" },
        { component: "cache_read", before: "0.5", after: "0.2" },
        { component: "output", before: "25", after: "20" },
      ],
      recent_cost: "1204.330912",
    },
  },
  reconciliation: {
    kind: "reconciliation",
    subject: "openai",
    window: "2026-11-27",
    severity: "warning",
    at: AT,
    facts: {
      reconciliation_id: undefined,
      provider: "openai",
      since: "2026-11-21T00:00:00.000Z",
      until: "2026-11-27T00:00:00.000Z",
      billed: "1204.33",
      recorded: "1182.02",
      unproven: "21.10",
      tolerance: "12.04",
      causes: [
        { cause: "outside", amount: "20" },
        { cause: "price", amount: "1.1" },
        { cause: "discount", amount: "1.21" },
      ],
    },
  },
  rows_waiting: {
    kind: "rows_waiting",
    subject: "gateway-1:4711",
    window: "2026-11-28T15",
    severity: "warning",
    at: AT,
    facts: {
      gateway: "gateway-1:4711",
      waiting: 1204,
      oldest_seconds: 742,
      last_error: "could not connect to the database: connection refused",
    },
  },
  rows_dropped: {
    kind: "rows_dropped",
    subject: "gateway-1:4711",
    window: "2026-11-28T15",
    severity: "critical",
    at: AT,
    facts: { gateway: "gateway-1:4711", dropped: 12, rejected: 3, last_error: "no space left on device" },
  },
  new_key: {
    kind: "new_key",
    subject: "0198f1c2-7d4e-7a11-9c00-0000000000aa",
    window: "",
    severity: "info",
    at: AT,
    facts: {
      key_id: "0198f1c2-7d4e-7a11-9c00-0000000000aa",
      name: "mobile-app",
      provider: "openai",
      model: "gpt-5.5-mini",
      request_id: "0198f1c2-7d4e-7a11-9c00-000000000002",
    },
  },
  digest: {
    kind: "digest",
    subject: "week",
    window: "2026-W47",
    severity: "info",
    at: "2026-11-23T08:00:00.000Z",
    facts: {
      every: "week",
      since: "2026-11-15T23:00:00.000Z",
      until: "2026-11-22T23:00:00.000Z",
      time_zone: "Europe/Berlin",
      cost: "1123.7210231",
      previous_cost: "829.71",
      requests: 70_465,
      previous_requests: 66_101,
      errors: 812,
      exact_cost: "1090.02",
      estimated_cost: "33.7010231",
      unpriced_requests: 41,
      course: [180.2, 201.4, 190.11, 222.9, 240.3, 48.4, 40.41].map((cost, i) => ({
        at: new Date(Date.parse("2026-11-15T23:00:00Z") + i * 86_400_000).toISOString(),
        cost: String(cost),
      })),
      top: [
        { dimension: "model", groups: GROUPS },
        {
          dimension: "key",
          groups: [
            { value: "search", cost: "702.1", previous_cost: "640", requests: 50_021 },
            { value: "ci", cost: "311.62", previous_cost: "82.71", requests: 3_204 },
            { value: "mobile-app", cost: "110.0010231", previous_cost: "107", requests: 17_240 },
          ],
        },
        {
          dimension: "Feature",
          groups: [
            { value: "chat", cost: "690.02", previous_cost: "655.2", requests: 48_900 },
            { value: "nightly-evals", cost: "301.5", previous_cost: "71.2", requests: 3_010 },
            { value: "(none)", cost: "132.2010231", previous_cost: "103.31", requests: 18_555 },
          ],
        },
      ],
      changes: [
        { dimension: "key", value: "ci", cost: "311.62", previous_cost: "82.71", requests: 3_204 },
        { dimension: "Feature", value: "nightly-evals", cost: "301.5", previous_cost: "71.2", requests: 3_010 },
        { dimension: "model", value: "claude-opus-5.5", cost: "411.09", previous_cost: "198.2", requests: 2_911 },
      ],
      budgets: [
        {
          name: "team-search",
          value: "",
          used: "1702.1",
          amount: "2000",
          unit: "USD",
          resets_at: "2026-11-30T23:00:00.000Z",
        },
        { name: "per-user", value: "ada", used: "50.2", amount: "50", unit: "USD", resets_at: undefined },
      ],
      reconciliations: [
        { provider: "openai", until: "2026-11-21", billed: "640.2", recorded: "640.2", is_within_tolerance: true },
        { provider: "anthropic", until: "2026-11-21", billed: "420.8", recorded: "411.09", is_within_tolerance: false },
      ],
      attention: [
        "41 requests of gpt-6-preview (openai) have no known price: set one with majordomo-gateway pricing set, then run pricing reprice.",
        'The limit "per-user" is used up by "ada": requests are rejected until its amount is raised.',
        "2 API keys expire within 14 days (ci on 2026-12-01, search on 2026-12-04): extend them with majordomo-gateway keys update ID --expires 90d.",
      ],
    },
  },
}

/** Returns a notification with a text of other people in each place where one can be. */
export function withNames<K extends NotificationKind>(notification: Notification<K>, name: string): Notification<K> {
  return { ...notification, facts: replaceNames(notification.facts, name) as Notification<K>["facts"] }
}

const NAMES = new Set([
  "name",
  "value",
  "model",
  "provider",
  "key",
  "source",
  "gateway",
  "dimension",
  "last_error",
  "cause",
  "component",
])

function replaceNames(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((each) => (typeof each === "string" ? name : replaceNames(each, name)))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      NAMES.has(key) && typeof each === "string" ? name : replaceNames(each, name),
    ]),
  )
}
