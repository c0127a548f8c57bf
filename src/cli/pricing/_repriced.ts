import { describeRepriced } from "../../operations/reprice/reprice.ts"
import type { RepricedModel } from "../../operations/reprice/summary.ts"
import { alignPoints, toExactDollars } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"

/** Renders what pricing again did, or would do, with the cost of each model before and after. */
export function renderRepriced(models: readonly RepricedModel[], dryRun: boolean, screen: Screen): string {
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
      { title: "Cost before", align: "right", cells: alignPoints(models.map(({ before }) => toExactDollars(before))) },
      { title: "Cost after", align: "right", cells: alignPoints(models.map(({ after }) => toExactDollars(after))) },
    ],
    screen,
  )
}
