import { formatCount, formatMoney, formatShare } from "./format.ts"
import { toHref } from "./location.ts"
import { withFilter } from "./question.ts"

/** What is left of a limit in its present window. Amounts are plain decimals, times ISO 8601. */
export interface LimitUse {
  /** Null: the limit has no `per`, or no request has used it. */
  readonly value: string | null
  /** The name of an API key in place of its id. */
  readonly value_name: string | null
  readonly used: string
  readonly reserved: string
  readonly remaining: string
  readonly window_start: string | null
  readonly resets_at: string | null
}

export interface Limit extends LimitUse {
  readonly id: string
  readonly name: string
  readonly measure: "cost" | "requests" | "input_tokens" | "output_tokens" | "tokens" | "concurrency"
  readonly amount: string
  readonly window: "minute" | "hour" | "day" | "week" | "month" | "total"
  readonly tz: string
  readonly key: string | null
  readonly key_name: string | null
  readonly provider: string | null
  readonly model: string | null
  readonly where: Readonly<Record<string, string>>
  readonly per: string | null
  readonly action: "block" | "warn"
  readonly notify_at: readonly number[]
  readonly estimate: "expected" | "maximum"
  readonly unpriced: "allow" | "block"
  readonly source: "database" | "config"
  /** What it allows, in one sentence. */
  readonly summary: string
}

/** Formats an amount in the unit of a limit: `$12.31`, `1,200`. */
export function formatAmount({ measure }: Pick<Limit, "measure">, amount: string): string {
  return measure === "cost" ? formatMoney(amount) : formatCount(Number(amount))
}

/** Returns the parts of a limit that were used and that are reserved, each from 0 to 1, together at most 1. */
export function toParts({ amount, used, reserved }: Pick<Limit, "amount" | "used" | "reserved">) {
  const total = Number(amount)
  if (total === 0) return { used: 1, reserved: 0 }
  const usedPart = Math.min(1, Number(used) / total)
  return { used: usedPart, reserved: Math.min(1 - usedPart, Number(reserved) / total) }
}

/** Returns how much of a limit is used, as text: `25%`, `104%`. Only a limit that is used up shows 100%. */
export function formatUse({ amount, used }: Pick<Limit, "amount" | "used">): string {
  const share = Number(amount) === 0 ? 1 : Number(used) / Number(amount)
  return share >= 0.99 ? `${Math.floor(share * 100)}%` : formatShare(share, 0)
}

/** How near a limit is: `bad` when it is used up, `warn` from 80 % on. */
export function toNearness(limit: Pick<Limit, "amount" | "used" | "reserved">): "bad" | "warn" | "fine" {
  const { used, reserved } = toParts(limit)
  if (used >= 1) return "bad"
  return used + reserved >= 0.8 ? "warn" : "fine"
}

/** Formats the time until a moment: `in 40 min`, `in 5 h`, `in 12 days`. */
export function formatWait(iso: string, now = Date.now()): string {
  const minutes = Math.max(0, Math.ceil((Date.parse(iso) - now) / 60_000))
  if (minutes < 60) return `in ${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `in ${hours} h` : `in ${Math.round(hours / 24)} days`
}

/**
 * Returns what is used at the end of the window if the rest of it is like the part before now; undefined for a limit whose
 * window has no end, or has hardly begun.
 */
export function forecast(
  { used, window_start: start, resets_at: end }: LimitUse,
  now = Date.now(),
): number | undefined {
  if (start === null || end === null) return undefined
  const [length, elapsed] = [Date.parse(end) - Date.parse(start), now - Date.parse(start)]
  return elapsed < length / 100 ? undefined : (Number(used) * length) / Math.min(elapsed, length)
}

/** Returns the address of the usage report of what counts for a limit, in its present window. */
export function toUsageHref(limit: Limit): string {
  const { tz, window_start: start, provider, model, key, where, per, value } = limit
  const since = start === null ? (limit.window === "total" ? "2020-01-01" : undefined) : toLocalMoment(start, tz)
  const filters = [
    ...Object.entries({ provider, model, key }),
    ...Object.entries(where),
    ...(per !== null && value ? [[per, value] as const] : []),
  ]
  const params = new URLSearchParams({ ...(since && { since }), tz })
  return toHref(
    "",
    filters.reduce((all, [name, wanted]) => (wanted === null ? all : withFilter(all, { name, value: wanted })), params),
  )
}

/** Returns a moment as a local time without a zone: `2026-11-01T00:00`. */
function toLocalMoment(iso: string, tz: string): string {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: tz, dateStyle: "short", timeStyle: "short" })
  return format.format(new Date(iso)).replace(" ", "T")
}
