import { formatDecimal, parseDecimal } from "../core/decimal.ts"

/** One request of a run. `since` and `until` are milliseconds since the epoch. */
export interface Step {
  readonly id: string
  readonly name: string
  readonly provider: string
  readonly model: string
  readonly path: readonly string[]
  readonly since: number
  readonly until: number
  readonly isError: boolean
  readonly status: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** What it added to the bill: USD as a plain decimal, or undefined if it is not known. */
  readonly cost: string | undefined
  readonly costStatus: string
  /** Whether a subscription pays for it. It then costs 0. */
  readonly isSubscribed: boolean
  /** What the API would have charged instead, 0 if it did charge, or undefined if it is not known. */
  readonly subscriptionValue: string | undefined
}

/** One span of a run. Its numbers include its own requests and those of the spans below it. */
export interface SpanNode {
  readonly name: string
  readonly path: string
  readonly since: number
  readonly until: number
  readonly requests: number
  readonly errors: number
  readonly unpriced: number
  readonly estimated: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** The sum of the known costs in USD as a plain decimal, or undefined if no cost is known. */
  readonly cost: string | undefined
  /** The sum of the known values of subscriptions, or undefined if there are such requests and no value is known. */
  readonly subscriptionValue: string | undefined
  readonly children: readonly SpanNode[]
  /** The requests of this span itself, without those of the spans below it. */
  readonly steps: readonly Step[]
}

/** Converts a row that `askRun` selects. */
export function readStep(row: Record<string, unknown>): Step {
  const text = (name: string) => (typeof row[name] === "string" ? (row[name] as string) : "")
  const path = text("span_path")
    .split("/")
    .filter((part) => part !== "")
  const isKnown = text("cost_status") !== "unpriced" && row["total_cost"] !== null
  const cost = isKnown ? text("total_cost") : undefined
  const isSubscribed = row["billing"] === "subscription"
  return {
    id: text("id"),
    name: text("span_name"),
    provider: text("provider"),
    model: text("model"),
    path,
    since: new Date(row["requested_at"] as Date).getTime(),
    until: new Date(row["created_at"] as Date).getTime(),
    isError: row["is_error"] === true,
    status: Number(row["status_code"]),
    inputTokens: Number(row["input_tokens"]),
    outputTokens: Number(row["output_tokens"]),
    cost: isSubscribed ? "0" : cost,
    costStatus: text("cost_status"),
    isSubscribed,
    subscriptionValue: isSubscribed ? cost : "0",
  }
}

/** Builds the tree of spans from the paths of the steps. Its root is the run. Spans are in the order in which they start. */
export function toSpans(steps: readonly Step[], name = "", depth = 0, path = ""): SpanNode {
  const below = new Map<string, Step[]>()
  const own: Step[] = []
  for (const step of steps) {
    const next = step.path[depth]
    if (next === undefined) own.push(step)
    else if (below.has(next)) below.get(next)!.push(step)
    else below.set(next, [step])
  }
  const children = [...below].map(([part, inside]) =>
    toSpans(inside, part, depth + 1, path === "" ? part : `${path}/${part}`),
  )
  const count = (is: (step: Step) => boolean) => steps.filter(is).length
  const subscribed = steps.filter(({ isSubscribed }) => isSubscribed)
  return {
    name,
    path,
    since: Math.min(...steps.map(({ since }) => since)),
    until: Math.max(...steps.map(({ until }) => until)),
    requests: steps.length,
    errors: count(({ isError }) => isError),
    unpriced: count(({ cost, subscriptionValue }) => cost === undefined || subscriptionValue === undefined),
    estimated: count(({ costStatus }) => costStatus === "estimated" || costStatus === "inconsistent"),
    inputTokens: steps.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    outputTokens: steps.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    cost: addKnown(steps.map(({ cost }) => cost)),
    subscriptionValue: addKnown(subscribed.map(({ subscriptionValue }) => subscriptionValue)),
    children,
    steps: own,
  }
}

/** Adds up the known amounts. Returns undefined if there are amounts, and none is known. */
function addKnown(amounts: readonly (string | undefined)[]): string | undefined {
  const known = amounts.flatMap((amount) => (amount === undefined ? [] : [parseDecimal(amount)]))
  return amounts.length > 0 && known.length === 0
    ? undefined
    : formatDecimal(known.reduce((sum, next) => sum + next, 0n))
}
