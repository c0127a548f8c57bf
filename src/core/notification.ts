/** The kinds of notifications, by the names that the rules of the settings use. */
export const NOTIFICATION_KINDS = [
  "limit",
  "anomaly",
  "unpriced_model",
  "price_changed",
  "reconciliation",
  "rows_waiting",
  "rows_dropped",
  "new_key",
  "digest",
] as const
export type NotificationKind = (typeof NOTIFICATION_KINDS)[number]

export type NotificationSeverity = "info" | "warning" | "critical"

/**
 * Something that the operator should know. Gateways that find the same thing build equal `kind`, `subject` and `window`,
 * and the database accepts one of them, so that it is sent once.
 */
export interface Notification<K extends NotificationKind = NotificationKind> {
  readonly kind: K
  /** The thing that it is about, such as `openai/gpt-5.5`, or the id of a limit with its threshold. At most 1,000 characters. */
  readonly subject: string
  /** The period in which it is sent at most once, such as `2026-11-28T10`. Empty: it is sent once and never again. */
  readonly window: string
  readonly severity: NotificationSeverity
  /** When it was found, as an ISO 8601 time in UTC. */
  readonly at: string
  readonly facts: NotificationFacts[K]
}

/** The facts of each kind. Amounts are plain decimals as text, costs in USD; times are ISO 8601 in UTC. */
export interface NotificationFacts {
  readonly limit: LimitFacts
  readonly anomaly: AnomalyFacts
  readonly unpriced_model: UnpricedModelFacts
  readonly price_changed: PriceChangedFacts
  readonly reconciliation: ReconciliationFacts
  readonly rows_waiting: RowsWaitingFacts
  readonly rows_dropped: RowsDroppedFacts
  readonly new_key: NewKeyFacts
  readonly digest: DigestFacts
}

export interface LimitFacts {
  readonly limit_id: string
  readonly name: string
  /** The value of the limit's `per`; empty: the limit has none. */
  readonly value: string
  readonly percent: number
  readonly used: string
  readonly amount: string
  /** The unit of both, such as `USD` or `tokens`. */
  readonly unit: string
  readonly action: "block" | "warn"
  readonly resets_at: string | undefined
}

export interface AnomalyFacts {
  readonly period: "hour" | "day"
  readonly since: string
  readonly until: string
  readonly time_zone: string
  readonly cost: string
  /** The usual cost of such an hour or day, and the highest that is still usual. */
  readonly expected: string
  readonly upper: string
  /** The groups that grew most, the largest growth first: for example model `gpt-5.5`, key `ci`. */
  readonly drivers: readonly AnomalyDriver[]
}

export interface AnomalyDriver {
  readonly dimension: string
  readonly value: string
  readonly cost: string
  readonly expected: string
}

export interface UnpricedModelFacts {
  readonly provider: string
  readonly model: string
  /** The name of the key that used it first. */
  readonly key: string | undefined
  readonly request_id: string
}

export interface PriceChangedFacts {
  readonly provider: string
  readonly model: string
  readonly source: string
  readonly changes: readonly {
    readonly component: string
    readonly before: string | undefined
    readonly after: string | undefined
  }[]
  /** Its cost in the last 30 days. */
  readonly recent_cost: string | undefined
}

export interface ReconciliationFacts {
  readonly reconciliation_id: string | undefined
  readonly provider: string
  readonly since: string
  readonly until: string
  readonly billed: string
  readonly recorded: string
  /** The part of the difference that counts against the tolerance. */
  readonly unproven: string
  readonly tolerance: string
  readonly causes: readonly { readonly cause: string; readonly amount: string }[]
}

export interface RowsWaitingFacts {
  readonly gateway: string
  readonly waiting: number
  /** The age of the oldest one, in seconds. */
  readonly oldest_seconds: number
  readonly last_error: string | undefined
}

export interface RowsDroppedFacts {
  readonly gateway: string
  /** New ones since the last notification. */
  readonly dropped: number
  readonly rejected: number
  readonly last_error: string | undefined
}

export interface NewKeyFacts {
  readonly key_id: string
  readonly name: string
  readonly provider: string
  readonly model: string | undefined
  readonly request_id: string
}

export interface DigestFacts {
  readonly every: "day" | "week" | "month"
  readonly since: string
  readonly until: string
  readonly time_zone: string
  readonly cost: string
  readonly previous_cost: string
  readonly requests: number
  readonly previous_requests: number
  readonly errors: number
  /** Parts of the cost by how sure they are, and the number of requests without a cost. */
  readonly exact_cost: string
  readonly estimated_cost: string
  readonly unpriced_requests: number
  /** The cost by day (by hour for `day`), for a small chart. */
  readonly course: readonly { readonly at: string; readonly cost: string }[]
  readonly top: readonly { readonly dimension: string; readonly groups: readonly DigestGroup[] }[]
  /** The groups whose cost changed most against the period before. */
  readonly changes: readonly (DigestGroup & { readonly dimension: string })[]
  readonly budgets: readonly {
    readonly name: string
    readonly value: string
    readonly used: string
    readonly amount: string
    readonly unit: string
    readonly resets_at: string | undefined
  }[]
  readonly reconciliations: readonly {
    readonly provider: string
    readonly until: string
    readonly billed: string
    readonly recorded: string
    readonly is_within_tolerance: boolean
  }[]
  /** Whole sentences, each with what to do. */
  readonly attention: readonly string[]
}

export interface DigestGroup {
  readonly value: string
  readonly cost: string
  readonly previous_cost: string
  readonly requests: number
}
