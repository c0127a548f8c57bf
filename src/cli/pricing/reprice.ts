import { prices } from "../../api/routes/prices.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson } from "../_print.ts"
import { FILTER_OPTIONS, toZone } from "../usage/_options.ts"
import { renderRepriced } from "./_repriced.ts"

export default defineCommand({
  meta: {
    name: "reprice",
    description: "price stored requests again, at the prices of their time; the old costs are kept",
  },
  args: {
    since: { ...FILTER_OPTIONS.since, required: true },
    until: FILTER_OPTIONS.until,
    tz: FILTER_OPTIONS.tz,
    model: FILTER_OPTIONS.model,
    provider: FILTER_OPTIONS.provider,
    unpriced: { type: "boolean", description: "only requests that have no price" },
    "dry-run": { type: "boolean", description: "say what would change, and change nothing" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway pricing reprice --since 7d --dry-run",
    "majordomo-gateway pricing reprice --since 2026-11-01 --model gpt-5.4 --unpriced",
  ],
  async run({ args }) {
    const { since, until, model, provider, unpriced, "dry-run": dryRun } = args
    const input = { since, until, tz: toZone(args.tz), model, provider, unpriced, dry_run: dryRun }
    const result = await call(args, prices.reprice, input)
    if (args.json) printJson(result)
    else print(renderRepriced(result.models, result.dry_run, findScreen()))
  },
})
