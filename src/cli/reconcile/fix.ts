import type { OutputOf } from "../../api/_route.ts"
import { reconciliations } from "../../api/routes/reconciliations.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { confirm, YES_OPTION } from "../_confirm.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { printable } from "../_text.ts"
import { renderRepriced } from "../pricing/_repriced.ts"
import { DAYS_OPTIONS } from "./_options.ts"

export default defineCommand({
  meta: {
    name: "fix",
    description:
      "set the prices that the bill implies for a model, as the stored comparisons say, and price its requests again; shows what changes, and asks",
  },
  args: {
    provider: { type: "string", valueHint: "NAME", description: "the provider", required: true },
    model: { type: "string", valueHint: "NAME", description: "the model, as the bill names it", required: true },
    ...DAYS_OPTIONS,
    "dry-run": { type: "boolean", description: "say what would change, and change nothing" },
    ...YES_OPTION,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway reconcile fix --provider openai --model gpt-5.5 --dry-run",
    "majordomo-gateway reconcile fix --provider openai --model gpt-5.5 --since 2026-11-09 --yes",
  ],
  async run({ args }) {
    const { provider, model, since, until, period, month } = args
    const input = { provider, model, since, until, period, month }
    if (!args.yes || args["dry-run"]) {
      const preview = await call(args, reconciliations.fix, { ...input, dry_run: true })
      if (args["dry-run"]) return args.json ? printJson(preview) : print(renderFix(preview))
      printMessage(renderFix(preview))
      await confirm("Set these prices, and price the requests again?", args)
    }
    const fixed = await call(args, reconciliations.fix, input)
    if (args.json) printJson(fixed)
    else print(`${renderFix(fixed)}\nSee what is left: majordomo-gateway reconcile --provider ${printable(provider)}`)
  },
})

function renderFix({ prices, models, dry_run: isDryRun }: OutputOf<typeof reconciliations.fix>): string {
  const lines = prices.map(({ model, provider, from, rates }) => {
    const each = Object.entries(rates).map(([name, usd]) => `${name} $${usd}`)
    return `${isDryRun ? "Would set" : "Set"} ${model} at ${provider} from ${from}: ${each.join(", ")} (per million tokens)`
  })
  return [...lines.map((line) => printable(line)), renderRepriced(models, isDryRun, findScreen())].join("\n")
}
