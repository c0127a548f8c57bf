import { formatDecimal, parseDecimal } from "../core/decimal.ts"

/** One request of a run. Times are milliseconds since the epoch. */
export interface Step {
  readonly id: string
  readonly name: string
  readonly model: string
  readonly path: readonly string[]
  readonly since: number
  readonly until: number
  readonly isError: boolean
  readonly status: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** USD as a plain decimal; undefined: not known. */
  readonly cost: string | undefined
  readonly costStatus: string
}

/** A part of a run with all that happened in it, itself included. */
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
  /** Of what is known, as a plain decimal; undefined: nothing is. */
  readonly cost: string | undefined
  readonly children: readonly SpanNode[]
  /** Requests of this very span, not of those below it. */
  readonly steps: readonly Step[]
}

export function readStep(row: Record<string, unknown>): Step {
  const text = (name: string) => (typeof row[name] === "string" ? (row[name] as string) : "")
  const path = text("span_path")
    .split("/")
    .filter((part) => part !== "")
  return {
    id: text("id"),
    name: text("span_name"),
    model: text("model"),
    path,
    since: new Date(row["requested_at"] as Date).getTime(),
    until: new Date(row["created_at"] as Date).getTime(),
    isError: row["is_error"] === true,
    status: Number(row["status_code"]),
    inputTokens: Number(row["input_tokens"]),
    outputTokens: Number(row["output_tokens"]),
    cost: text("cost_status") === "unpriced" || row["total_cost"] === null ? undefined : text("total_cost"),
    costStatus: text("cost_status"),
  }
}

/** The tree of spans that the paths of the steps describe; the root is the run. Spans stand in the order of their begin. */
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
  const costs = steps.flatMap(({ cost }) => (cost === undefined ? [] : [parseDecimal(cost)]))
  return {
    name,
    path,
    since: Math.min(...steps.map(({ since }) => since)),
    until: Math.max(...steps.map(({ until }) => until)),
    requests: steps.length,
    errors: count(({ isError }) => isError),
    unpriced: count(({ cost }) => cost === undefined),
    estimated: count(({ costStatus }) => costStatus === "estimated" || costStatus === "inconsistent"),
    inputTokens: steps.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    outputTokens: steps.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    cost: costs.length === 0 ? undefined : formatDecimal(costs.reduce((sum, cost) => sum + cost, 0n)),
    children,
    steps: own,
  }
}
