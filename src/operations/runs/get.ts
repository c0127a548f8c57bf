import { NotFoundError } from "../../core/errors.ts"
import { readInSnapshot } from "../../database/slow-read.ts"
import { askRun, readStep, type SpanNode, type Step, toSpans } from "../../reports/index.ts"
import type { Context } from "../context.ts"

export type { SpanNode, Step }

interface AgentRun {
  readonly trace: string
  /** Which metadata of its requests the id is. */
  readonly kind: "trace" | "session"
  /** The whole run; its spans are below it. */
  readonly root: SpanNode
}

/**
 * Returns one agent run as a tree of spans.
 *
 * @throws CommandError if no request has the trace or the session
 */
export async function getRun(
  { database }: Context<"database">,
  { trace }: { readonly trace: string },
): Promise<AgentRun> {
  const { rows } = await readInSnapshot(database, (read) => read(askRun(trace)))
  if (rows.length === 0) {
    throw new NotFoundError(
      `no request has the trace or session ${JSON.stringify(trace.slice(0, 100))}: see usage runs`,
    )
  }
  return { trace, kind: rows[0]!["has_trace"] === true ? "trace" : "session", root: toSpans(rows.map(readStep)) }
}

/** A span of a run in the form of JSON. Its numbers include those of the spans below it. Times are ISO 8601 in UTC. */
interface SpanObject {
  readonly name?: string
  readonly path?: string
  readonly first: string
  readonly last: string
  readonly duration_ms: number
  readonly requests: number
  readonly errors: number
  readonly unpriced: number
  readonly estimated: number
  readonly input_tokens: number
  readonly output_tokens: number
  /** USD as a plain decimal; null: not known. */
  readonly total_cost: string | null
  /** What the API would have charged for requests that a subscription pays for; null: not known. */
  readonly subscription_value: string | null
  readonly steps: readonly StepObject[]
  readonly spans: readonly SpanObject[]
}

interface StepObject {
  /** The id of the request. */
  readonly id: string
  readonly name: string | null
  readonly provider: string
  readonly model: string
  readonly first: string
  readonly last: string
  readonly status_code: number
  readonly is_error: boolean
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_cost: string | null
  readonly cost_status: string
  readonly billing: "subscription" | null
  readonly subscription_value: string | null
}

/** A run in the form of JSON: its id, and its root span. */
export interface RunObject extends SpanObject {
  readonly trace: string
  readonly kind: "trace" | "session"
}

/** Returns the JSON form of a run. */
export function toRunObject({ trace, kind, root }: AgentRun): RunObject {
  return { trace, kind, ...toSpanObject(root) }
}

/** Returns the root span of a run in the form of JSON. */
export function fromRunObject(run: RunObject): SpanNode {
  return fromSpanObject(run)
}

function toSpanObject(span: SpanNode): SpanObject {
  return {
    ...(span.path === "" ? {} : { name: span.name, path: span.path }),
    first: new Date(span.since).toISOString(),
    last: new Date(span.until).toISOString(),
    duration_ms: span.until - span.since,
    requests: span.requests,
    errors: span.errors,
    unpriced: span.unpriced,
    estimated: span.estimated,
    input_tokens: span.inputTokens,
    output_tokens: span.outputTokens,
    total_cost: span.cost ?? null,
    subscription_value: span.subscriptionValue ?? null,
    steps: span.steps.map(toStepObject),
    spans: span.children.map(toSpanObject),
  }
}

function fromSpanObject(span: SpanObject): SpanNode {
  return {
    name: span.name ?? "",
    path: span.path ?? "",
    since: Date.parse(span.first),
    until: Date.parse(span.last),
    requests: span.requests,
    errors: span.errors,
    unpriced: span.unpriced,
    estimated: span.estimated,
    inputTokens: span.input_tokens,
    outputTokens: span.output_tokens,
    cost: span.total_cost ?? undefined,
    subscriptionValue: span.subscription_value ?? undefined,
    children: span.spans.map(fromSpanObject),
    steps: span.steps.map(fromStepObject),
  }
}

function toStepObject(step: Step): StepObject {
  return {
    id: step.id,
    name: step.name === "" ? null : step.name,
    provider: step.provider,
    model: step.model,
    first: new Date(step.since).toISOString(),
    last: new Date(step.until).toISOString(),
    status_code: step.status,
    is_error: step.isError,
    input_tokens: step.inputTokens,
    output_tokens: step.outputTokens,
    total_cost: step.cost ?? null,
    cost_status: step.costStatus,
    billing: step.isSubscribed ? "subscription" : null,
    subscription_value: step.subscriptionValue ?? null,
  }
}

function fromStepObject(step: StepObject): Step {
  return {
    id: step.id,
    name: step.name ?? "",
    provider: step.provider,
    model: step.model,
    path: [],
    since: Date.parse(step.first),
    until: Date.parse(step.last),
    isError: step.is_error,
    status: step.status_code,
    inputTokens: step.input_tokens,
    outputTokens: step.output_tokens,
    cost: step.total_cost ?? undefined,
    costStatus: step.cost_status,
    isSubscribed: step.billing === "subscription",
    subscriptionValue: step.subscription_value ?? undefined,
  }
}
