import type { SpanNode, Step } from "../../../operations/runs/get.ts"
import { toUsd } from "./_money.ts"
import { toSpanId } from "./_span-id.ts"

/** A node of a run as the Go gateway gives it: the run, a step of an agent, or a request (`llm`). */
type RunNode = {
  readonly span_id: string
  readonly parent_span_id?: string
  readonly name: string
  readonly path: string
  readonly kind: "run" | "step" | "llm"
  readonly request_id?: string
  readonly provider?: string
  readonly model?: string
  readonly requested_at?: string
  readonly responded_at?: string
  readonly response_time_ms?: number
  readonly status_code?: number
  /** USD. A request whose cost is not known has null. */
  readonly self_cost: number | null
  readonly total_cost: number | null
  readonly request_count: number
  readonly children: readonly RunNode[]
}

/** Returns the tree of a run. Requests and steps of one level are in the order in which they started. */
export function toRunNode(trace: string, span: SpanNode, parent?: string): RunNode {
  const id = toSpanId(trace, span.path)
  const children = [
    ...span.steps.map((step) => ({ since: step.since, node: toLeaf(step, id, span.path) })),
    ...span.children.map((child) => ({ since: child.since, node: toRunNode(trace, child, id) })),
  ]
  return {
    span_id: id,
    ...(parent !== undefined && { parent_span_id: parent }),
    name: parent === undefined ? toLabel(span) : span.name,
    path: span.path,
    kind: parent === undefined ? "run" : "step",
    self_cost: 0,
    total_cost: toUsd(span.cost),
    request_count: span.requests,
    children: children.sort((a, b) => a.since - b.since).map(({ node }) => node),
  }
}

function toLeaf(step: Step, parent: string, path: string): RunNode {
  return {
    span_id: step.id,
    parent_span_id: parent,
    name: step.name || step.model,
    path,
    kind: "llm",
    request_id: step.id,
    provider: step.provider,
    model: step.model,
    requested_at: new Date(step.since).toISOString(),
    responded_at: new Date(step.until).toISOString(),
    response_time_ms: step.until - step.since,
    status_code: step.status,
    self_cost: toUsd(step.cost),
    total_cost: toUsd(step.cost),
    request_count: 1,
    children: [],
  }
}

/** A run is called by the outermost step of its first request, or else by the request itself. */
function toLabel({ steps, children }: SpanNode): string {
  const [step] = steps
  const [child] = children
  if (child === undefined || (step !== undefined && step.since <= child.since)) return step!.name || step!.model
  return child.name
}
