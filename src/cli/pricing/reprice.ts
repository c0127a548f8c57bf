import { prices } from "../../api/routes/prices.ts"
import { describeRepriced } from "../../operations/reprice/reprice.ts"
import type { RepricedModel } from "../../operations/reprice/summary.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { alignPoints } from "../_money.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { FILTER_OPTIONS, toZone } from "../usage/_options.ts"

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

function renderRepriced(models: readonly RepricedModel[], dryRun: boolean, screen: Screen): string {
  const looked = models.reduce((sum, model) => sum + model.looked, 0)
  const changed = models.reduce((sum, model) => sum + model.changed, 0)
  const head = `${describeRepriced({ looked, changed }, dryRun)}.`
  const shown = models.filter((model) => model.changed > 0)
  const table = shown.length === 0 ? [] : ["", renderModels(shown, screen).trimEnd()]
  const reasons = models
    .filter((model) => model.unpriced_after > 0)
    .map(
      ({ model, unpriced_after: count, reason }) =>
        `Unpriced still: ${withThousands(count)} of ${printable(model) || "no model"} (${printable(reason ?? "no price")})`,
    )
  return [head, ...table, ...(reasons.length > 0 ? ["", ...reasons] : []), ""].join("\n")
}

function renderModels(models: readonly RepricedModel[], screen: Screen): string {
  return renderTable(
    [
      { title: "Provider", align: "left", cells: models.map(({ provider }) => provider), hideRank: 1 },
      { title: "Model", align: "left", cells: models.map(({ model }) => model || "(no model)"), shrinks: true },
      { title: "Requests", align: "right", cells: toCounts(models.map(({ changed }) => changed)) },
      { title: "Cost before", align: "right", cells: alignPoints(models.map(({ before }) => `$${before}`)) },
      { title: "Cost after", align: "right", cells: alignPoints(models.map(({ after }) => `$${after}`)) },
    ],
    screen,
  )
}
