/** The figures of an agent run, or of a part of it. */
interface RunFigures {
  readonly requests: number
  readonly errors: number
  readonly unpriced: number
  readonly estimated: number
  readonly duration_ms: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_cost: string | null
  readonly first: string
  readonly last: string
}

export interface RunSummary extends RunFigures {
  readonly trace: string
  readonly subscription_requests: number
  /** What the API would have charged for them, in USD. */
  readonly subscription_value: string | null
}

interface Step {
  readonly id: string
  readonly name: string | null
  readonly model: string
  readonly first: string
  readonly last: string
  readonly status_code: number
  readonly is_error: boolean
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_cost: string | null
  readonly cost_status: string
}

interface Span extends RunFigures {
  readonly name?: string
  readonly path?: string
  readonly steps: readonly Step[]
  readonly spans: readonly Span[]
}

export interface Run extends Span {
  readonly trace: string
  /** Which metadata of its requests the id is. */
  readonly kind: "trace" | "session"
}

/** A line of the waterfall: a span with everything in it, or one request. */
export interface WaterfallLine {
  readonly key: string
  readonly depth: number
  readonly name: string
  /** The id of the request; undefined: a span of several. */
  readonly id: string | undefined
  readonly model: string | undefined
  /** In ms since the epoch. */
  readonly start: number
  readonly end: number
  readonly isError: boolean
  readonly tokens: number
  readonly cost: string | null
}

/** Lists the spans and requests of a run in the order in which they began. A span of one request is that request. */
export function listLines(run: Run): WaterfallLine[] {
  return linesOf(run, 0)
}

function linesOf(span: Span, depth: number): WaterfallLine[] {
  const steps = span.steps.map((step) => ({ at: step.first, lines: [toStepLine(step, depth)] }))
  const spans = span.spans.map((inner) => ({ at: inner.first, lines: toSpanLines(inner, depth) }))
  return [...steps, ...spans]
    .sort((one, other) => Date.parse(one.at) - Date.parse(other.at))
    .flatMap(({ lines }) => lines)
}

function toSpanLines(span: Span, depth: number): WaterfallLine[] {
  const [step] = span.steps
  if (span.steps.length === 1 && span.spans.length === 0)
    return [{ ...toStepLine(step!, depth), name: span.name ?? step!.name ?? step!.model }]
  const line: WaterfallLine = {
    key: span.path ?? span.name ?? "",
    depth,
    name: span.name ?? "(no span)",
    id: undefined,
    model: undefined,
    start: Date.parse(span.first),
    end: Date.parse(span.last),
    isError: span.errors > 0,
    tokens: span.input_tokens + span.output_tokens,
    cost: span.total_cost,
  }
  return [line, ...linesOf(span, depth + 1)]
}

function toStepLine(step: Step, depth: number): WaterfallLine {
  return {
    key: step.id,
    depth,
    name: step.name ?? step.model,
    id: step.id,
    model: step.model,
    start: Date.parse(step.first),
    end: Date.parse(step.last),
    isError: step.is_error,
    tokens: step.input_tokens + step.output_tokens,
    cost: step.total_cost,
  }
}
