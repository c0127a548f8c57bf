import { reconciliations } from "../../api/routes/reconciliations.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { EXACT_OPTION } from "../_money.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { renderReconciliations, toCausesCsv } from "./_causes.ts"
import { DAYS_OPTIONS, PROVIDER_OPTION } from "./_options.ts"

export default defineCommand({
  meta: {
    name: "reconcile",
    description:
      "compare what providers bill with what was recorded, and say why they differ; exit code 3 if more differs than reconcile.alert_above tolerates",
  },
  args: {
    ...PROVIDER_OPTION,
    ...DAYS_OPTIONS,
    ...EXACT_OPTION,
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print each cause of each day as comma-separated values" },
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway reconcile",
    "majordomo-gateway reconcile --provider openai --month 2026-11",
    "majordomo-gateway reconcile --since 7d --json | jq '.providers[].causes'",
  ],
  async run({ args }) {
    checkFormat(args)
    const { provider, since, until, period, month } = args
    const result = await call(args, reconciliations.run, { provider, since, until, period, month })
    for (const { message } of result.failed) printMessage(`error: ${message}`)
    if (args.json) printJson(result)
    else if (args.csv) print(toCausesCsv(result.providers))
    else print(renderReconciliations(result.providers, findScreen()))
    const isWithin = result.providers.every((each) => each.within_tolerance)
    if (result.failed.length > 0) process.exitCode = 1
    else if (!isWithin) process.exitCode = 3
  },
})
