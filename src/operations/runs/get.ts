import { NotFoundError } from "../../core/errors.ts"
import { readInSnapshot } from "../../database/slow-read.ts"
import { askRun, readStep, type SpanNode, type Step, toSpans } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { readRollups } from "../usage/asker.ts"
import { TRACE_NAME } from "./list.ts"

export type { SpanNode, Step }

interface AgentRun {
  readonly trace: string
  /** The whole run; its spans are below it. */
  readonly root: SpanNode
  /** False: the trace's metadata name is not active, so every request was read. */
  readonly isIndexed: boolean
}

/**
 * Returns one agent run as a tree of spans.
 *
 * @throws CommandError if no request carried the trace
 */
export async function getRun(
  { database }: Context<"database">,
  { trace }: { readonly trace: string },
): Promise<AgentRun> {
  const { rows, rollups } = await readInSnapshot(database, async (read) => {
    const rollups = await readRollups(read)
    return { rollups, rows: (await read(askRun(trace, rollups))).rows }
  })
  if (rows.length === 0) {
    throw new NotFoundError(`no request carried the trace ${JSON.stringify(trace.slice(0, 100))}: see usage runs`)
  }
  return { trace, root: toSpans(rows.map(readStep)), isIndexed: rollups.indexed.has(TRACE_NAME) }
}

/** Returns the JSON form of a run. */
export function toRunObject({ trace, root }: AgentRun): Record<string, unknown> {
  return { trace, ...toSpanObject(root) }
}

function toSpanObject(span: SpanNode): Record<string, unknown> {
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
    steps: span.steps.map(toStepObject),
    spans: span.children.map(toSpanObject),
  }
}

function toStepObject(step: Step): Record<string, unknown> {
  return {
    id: step.id,
    name: step.name === "" ? null : step.name,
    model: step.model,
    first: new Date(step.since).toISOString(),
    last: new Date(step.until).toISOString(),
    status_code: step.status,
    input_tokens: step.inputTokens,
    output_tokens: step.outputTokens,
    total_cost: step.cost ?? null,
    cost_status: step.costStatus,
  }
}
