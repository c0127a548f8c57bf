import { runs } from "../../api/routes/runs.ts"
import { fromRunObject, type SpanNode } from "../../operations/runs/get.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { EXACT_OPTION, toDollars } from "../_money.ts"
import { findScreen, print, printJson } from "../_print.ts"
import { printable, toMoment, withThousands } from "../_text.ts"
import { toZone } from "./_options.ts"
import { renderWaterfall, toSpanCost } from "./_waterfall.ts"
import { toDuration } from "./runs.ts"

export default defineCommand({
  meta: { name: "run", description: "one agent run as a waterfall: its spans, when each took place, and what it cost" },
  args: {
    trace: { type: "positional", required: true, description: "the trace or session, as usage runs shows it" },
    tz: { type: "string", valueHint: "ZONE", description: "time zone such as Europe/Lisbon (default: this machine's)" },
    ...EXACT_OPTION,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway usage run 7f3a", "majordomo-gateway usage run 7f3a --json | jq .total_cost"],
  async run({ args }) {
    const tz = toZone(args.tz)
    const run = await call(args, runs.get, { trace: args.trace })
    if (args.json) return printJson(run)
    const root = fromRunObject(run)
    print(`${renderHead(run.trace, root, tz)}\n\n${renderWaterfall(root, findScreen())}`)
  },
})

function renderHead(trace: string, run: SpanNode, tz: string): string {
  const noun = run.requests === 1 ? "request" : "requests"
  const errors = run.errors === 0 ? "" : `, ${withThousands(run.errors)} with an error`
  const { subscriptionValue: value } = run
  const subscribed =
    value === "0" ? "" : `; subscriptions paid for ${value === undefined ? "others" : toDollars(value)}`
  return [
    `Trace  ${printable(trace)}`,
    `Time   ${toMoment(new Date(run.since), tz)}, ${toDuration(run.until - run.since)}`,
    `Cost   ${toSpanCost(run)} in ${withThousands(run.requests)} ${noun}${errors}${subscribed}`,
  ].join("\n")
}
