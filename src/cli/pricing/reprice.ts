import { repriceRequests } from "../../operations/reprice/reprice.ts"
import type { RepricedModel } from "../../operations/reprice/summary.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { alignPoints } from "../_money.ts"
import { withPricesAndDatabase } from "../_open.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { FILTER_OPTIONS, toPeriod } from "../usage/_options.ts"

const PROGRESS_MS = 1000

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
    ...COMMON,
  },
  examples: [
    "majordomo-gateway pricing reprice --since 7d --dry-run",
    "majordomo-gateway pricing reprice --since 2026-11-01 --model gpt-5.4 --unpriced",
  ],
  async run({ args }) {
    const { since, until } = toPeriod(args, Date.now(), args.since)
    const filter = { since, until, model: args.model, provider: args.provider, unpricedOnly: args.unpriced === true }
    const dryRun = args["dry-run"] === true
    await withPricesAndDatabase(args.config, async (context) => {
      const { providers } = context.settings
      const models = await repriceRequests(
        { ...context, findFormat: (provider) => providers[provider]?.format, onProgress: createProgress(dryRun) },
        { filter, dryRun },
      )
      if (!args.json) return print(renderRepriced(models, dryRun, findScreen()))
      printJson({ since: toIso(since), until: until === undefined ? null : toIso(until), dry_run: dryRun, models })
    })
  },
})

function createProgress(dryRun: boolean) {
  let printedAt = Date.now()
  return (done: { readonly looked: number; readonly changed: number }): void => {
    if (Date.now() - printedAt < PROGRESS_MS) return
    printedAt = Date.now()
    printMessage(describeCounts(done, dryRun))
  }
}

function renderRepriced(models: readonly RepricedModel[], dryRun: boolean, screen: Screen): string {
  const looked = models.reduce((sum, model) => sum + model.looked, 0)
  const changed = models.reduce((sum, model) => sum + model.changed, 0)
  const head = `${describeCounts({ looked, changed }, dryRun)}.`
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

function describeCounts({ looked, changed }: { looked: number; changed: number }, dryRun: boolean): string {
  const noun = looked === 1 ? "request" : "requests"
  return `${withThousands(looked)} ${noun} looked at, ${withThousands(changed)} ${dryRun ? "would change" : "changed"}`
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

function toIso(at: number): string {
  return new Date(at).toISOString()
}
