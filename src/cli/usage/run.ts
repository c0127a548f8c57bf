import { CommandError } from "../../core/errors.ts"
import { readSlowly } from "../../database/slow-read.ts"
import { askRun, RUN_NAMES, readStep, type SpanNode, type Step, toSpans } from "../../reports/index.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson } from "../_print.ts"
import { printable, toMoment, withThousands } from "../_text.ts"
import { createAsker, sayIfNotIndexed } from "./_ask.ts"
import { toZone } from "./_question.ts"
import { renderWaterfall, toSpanCost } from "./_waterfall.ts"
import { toDuration } from "./runs.ts"

export default defineCommand({
  meta: { name: "run", description: "one agent run as a waterfall: its spans, when each took place, and what it cost" },
  args: {
    trace: { type: "positional", required: true, description: "the value of X-Majordomo-Trace-Id: see usage runs" },
    tz: { type: "string", valueHint: "ZONE", description: "time zone such as Europe/Lisbon (default: this machine's)" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway usage run 7f3a", "majordomo-gateway usage run 7f3a --json | jq .total_cost"],
  async run({ args }) {
    const tz = toZone(args.tz)
    await withDatabase(args.config, async (database) => {
      const { ground } = await createAsker(database)
      const { rows } = await readSlowly(database, askRun(args.trace, ground))
      if (rows.length === 0) {
        throw new CommandError(
          `no request carried the trace ${JSON.stringify(args.trace.slice(0, 100))}: see usage runs`,
        )
      }
      sayIfNotIndexed(RUN_NAMES.trace, ground)
      const root = toSpans(rows.map(readStep))
      if (args.json) printJson({ trace: args.trace, ...toSpanObject(root) })
      else print(`${toHead(args.trace, root, tz)}\n\n${renderWaterfall(root, findScreen())}`)
    })
  },
})

function toHead(trace: string, run: SpanNode, tz: string): string {
  const noun = run.requests === 1 ? "request" : "requests"
  const errors = run.errors === 0 ? "" : `, ${withThousands(run.errors)} with an error`
  return [
    `Trace  ${printable(trace)}`,
    `Time   ${toMoment(new Date(run.since), tz)}, ${toDuration(run.until - run.since)}`,
    `Cost   ${toSpanCost(run)} in ${withThousands(run.requests)} ${noun}${errors}`,
  ].join("\n")
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
