import { type RepricedModel, repriceRequests } from "../../server/reprice.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { alignPoints } from "../_money.ts"
import { withDatabaseOf } from "../_open.ts"
import { findScreen, print, printJson, type Screen, say } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { FILTER_OPTIONS, toPeriod } from "../usage/_question.ts"
import { withPriceBook } from "./_book.ts"

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
    const dryRun = args["dry-run"] === true
    await withPriceBook(args.config, (book, settings) =>
      withDatabaseOf(settings, async (database) => {
        let saidAt = Date.now()
        const models = await repriceRequests({
          database,
          price: book.price,
          formatOf: (provider) => settings.providers[provider]?.format,
          filter: { since, until, model: args.model, provider: args.provider, unpricedOnly: args.unpriced === true },
          dryRun,
          onProgress({ looked, changed }) {
            if (Date.now() - saidAt < PROGRESS_MS) return
            saidAt = Date.now()
            say(
              `${withThousands(looked)} requests looked at, ${withThousands(changed)} ${dryRun ? "would change" : "changed"}`,
            )
          },
        })
        if (args.json)
          printJson({ since: iso(since), until: until === undefined ? null : iso(until), dry_run: dryRun, models })
        else print(renderRepriced(models, dryRun, findScreen()))
      }),
    )
  },
})

function iso(at: number): string {
  return new Date(at).toISOString()
}

export function renderRepriced(models: readonly RepricedModel[], dryRun: boolean, screen: Screen): string {
  const looked = models.reduce((sum, model) => sum + model.looked, 0)
  const changed = models.reduce((sum, model) => sum + model.changed, 0)
  const noun = looked === 1 ? "request" : "requests"
  const head = `${withThousands(looked)} ${noun} looked at, ${withThousands(changed)} ${dryRun ? "would change" : "changed"}.`
  const shown = models.filter((model) => model.changed > 0)
  const table =
    shown.length === 0
      ? []
      : [
          "",
          renderTable(
            [
              { title: "Provider", align: "left", cells: shown.map(({ provider }) => provider), leaves: 1 },
              { title: "Model", align: "left", cells: shown.map(({ model }) => model || "(no model)"), shrinks: true },
              { title: "Requests", align: "right", cells: toCounts(shown.map((model) => model.changed)) },
              { title: "Cost before", align: "right", cells: alignPoints(shown.map(({ before }) => `$${before}`)) },
              { title: "Cost after", align: "right", cells: alignPoints(shown.map(({ after }) => `$${after}`)) },
            ],
            screen,
          ).trimEnd(),
        ]
  const left = models.filter((model) => model.unpriced_after > 0)
  const why = left.map(
    ({ model, unpriced_after: count, reason }) =>
      `Unpriced still: ${withThousands(count)} of ${printable(model) || "no model"} (${printable(reason ?? "no price")})`,
  )
  return [head, ...table, ...(why.length > 0 ? ["", ...why] : []), ""].join("\n")
}
