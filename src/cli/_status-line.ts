import { formatDecimal, fromNumber, parseDecimal } from "../core/decimal.ts"
import type { Spending } from "./_spending-request.ts"
import { printable, withThousands } from "./_text.ts"

/** The part that we read of what Claude Code writes to the stdin of a status line. Everything may be missing. */
export interface AgentState {
  readonly session_id?: unknown
  readonly model?: { readonly display_name?: unknown } | null
  readonly workspace?: { readonly current_dir?: unknown } | null
  /** An estimate at list prices, of Claude Code itself. */
  readonly cost?: { readonly total_cost_usd?: unknown } | null
}

interface StatusLine {
  /** The cost of the session, such as `$1.24`; undefined: nobody knows. */
  readonly session: string | undefined
  /** `gateway`, or `claude-code` for an estimate of its own. */
  readonly session_source: "gateway" | "claude-code" | undefined
  readonly today: string | undefined
  /** The name of the API key that is meant by `today` and `left`; undefined: those of all keys, or nobody knows. */
  readonly key: string | undefined
  /** The rest of the limit that is nearest, such as `$31.60 of $50`. */
  readonly left: string | undefined
  /** The share that is left of it, from 0 to 1. */
  readonly left_share: number | undefined
  readonly limit: string | undefined
  readonly model: string | undefined
  readonly directory: string | undefined
  /** Why the gateway did not say what things cost. */
  readonly hint: string | undefined
}

/** Returns what a status line says. Without an answer of the gateway, the cost of the session is Claude Code's estimate. */
export function toStatusLine(
  state: AgentState,
  answer: { readonly spending: Spending } | { readonly hint: string },
): StatusLine {
  const spending = "spending" in answer ? answer.spending : undefined
  const estimate = state.cost?.total_cost_usd
  const own =
    typeof estimate === "number" && Number.isFinite(estimate) ? toCents(formatDecimal(fromNumber(estimate))) : undefined
  const recorded = spending?.session ? toAmount(spending.session) : undefined
  const nearest = spending && findNearestLimit(spending.limits)
  return {
    session: recorded ?? own,
    session_source: recorded !== undefined ? "gateway" : own !== undefined ? "claude-code" : undefined,
    today: spending && toAmount(spending.today),
    key: spending?.key ?? undefined,
    left: nearest && describeLeft(nearest),
    left_share: nearest && toShareLeft(nearest),
    limit: nearest?.name,
    model: toText(state.model?.display_name),
    directory: toText(state.workspace?.current_dir)?.split(/[/\\]/).filter(Boolean).at(-1),
    hint: "hint" in answer ? answer.hint : undefined,
  }
}

const toText = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined)

type Sums = Spending["today"]

/**
 * Returns what requests cost, in cents. `~` means that a part is an estimate, and `≥` that the cost of a part is not known.
 * What a subscription pays for is shown as its API value.
 */
function toAmount({ requests, total_cost: cost, estimated, unpriced, ...sums }: Sums): string {
  const { subscription_requests: subscribed, subscription_value: value } = sums
  const mark = unpriced > 0 ? "≥" : estimated > 0 ? "~" : ""
  const billed = cost === null ? "unknown cost" : `${mark}${toCents(cost)}`
  if (subscribed === 0) return billed
  const worth = `${value === null ? "unknown" : `${mark}${toCents(value)}`} API value`
  return subscribed === requests ? worth : `${billed} + ${worth}`
}

type Limit = Spending["limits"][number]

/** Returns the limit of which the smallest share is left. What runs at the same time says little about a budget. */
function findNearestLimit(limits: readonly Limit[]): Limit | undefined {
  const budgets = limits.filter(({ measure }) => measure !== "concurrency")
  return budgets.sort((a, b) => toShareLeft(a) - toShareLeft(b))[0]
}

function toShareLeft({ amount, remaining }: Limit): number {
  return Number(amount) === 0 ? 0 : Number(remaining) / Number(amount)
}

function describeLeft({ measure, amount, remaining }: Limit): string {
  if (measure === "cost") return `${toCents(remaining)} of ${toCents(amount).replace(/\.00$/, "")}`
  const whole = (decimal: string) => withThousands(decimal.split(".", 1)[0]!)
  return `${whole(remaining)} of ${whole(amount)} ${measure.replaceAll("_", " ")}`
}

const CENT = parseDecimal("0.01")

/** Rounds USD half up to cents: `1.236` -> `$1.24`. What is less than a cent and not nothing is `<$0.01`. */
function toCents(decimal: string): string {
  const exact = parseDecimal(decimal)
  if (exact > 0n && exact < CENT) return "<$0.01"
  const [whole = "0", fraction = ""] = formatDecimal(((exact + CENT / 2n) / CENT) * CENT).split(".")
  return `$${withThousands(whole)}.${fraction.padEnd(2, "0")}`
}

/** Draws the line. `format` has names of its parts in braces; a part that is not known is empty. */
export function drawStatusLine(
  line: StatusLine,
  { format, color }: { readonly format: string | undefined; readonly color: boolean },
): string {
  const tint = (code: string, text: string) => (color && text !== "" ? `\u001b[${code}m${text}\u001b[39m` : text)
  const { session, session_source: source, today, left, left_share: share = 1, hint } = line
  const parts: Readonly<Record<string, string>> = {
    session: session === undefined ? "" : `${session} session${source === "claude-code" ? " (estimate)" : ""}`,
    today: today === undefined ? "" : `${today} today${line.key === undefined ? " (all keys)" : ""}`,
    left: left === undefined ? "" : tint(share < 0.1 ? "31" : share < 0.25 ? "33" : "32", `${left} left`),
    limit: printable(line.limit ?? ""),
    model: printable(line.model ?? ""),
    dir: printable(line.directory ?? ""),
    hint: hint === undefined ? "" : tint("33", `majordomo: ${printable(hint)}`),
  }
  if (format !== undefined) return format.replace(/\{(\w+)\}/g, (text, name: string) => parts[name] ?? text)
  const shown = [parts["session"], parts["today"], parts["left"], parts["hint"]].filter((part) => part)
  return shown.join(color ? " \u001b[2m·\u001b[22m " : " · ")
}
