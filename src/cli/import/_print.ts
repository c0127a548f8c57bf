import type { ImportedModel, ImportResult } from "../../operations/imports/summary.ts"
import { alignPoints, toExactDollars } from "../_money.ts"
import { findScreen, print, printMessage, type Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { withThousands } from "../_text.ts"

const MAX_MODELS = 20
const MAX_BAD_LINES = 20

/** Prints what an import has found: the models on stdout, and the lines that could not be read on stderr. */
export function printImport(result: ImportResult): void {
  const { models, bad, bad_lines: badLines } = result
  const shown = models.slice(0, MAX_MODELS)
  const parts = [...(shown.length > 0 ? [renderModels(shown, findScreen())] : []), ...describe(result)]
  print(parts.join("\n"))
  for (const { line, reason } of badLines.slice(0, MAX_BAD_LINES)) printMessage(`line ${line}: ${reason}`)
  if (bad > 0) printMessage(`error: ${count(bad, "record")} could not be read`)
}

function renderModels(models: readonly ImportedModel[], screen: Screen): string {
  return renderTable(
    [
      { title: "Provider", align: "left", cells: models.map(({ provider }) => provider) },
      { title: "Model", align: "left", cells: models.map(({ model }) => model || "-"), shrinks: true },
      { title: "Requests", align: "right", cells: toCounts(models.map(({ requests }) => requests)) },
      {
        title: "Input",
        align: "right",
        cells: toCounts(models.map(({ input_tokens: tokens }) => tokens)),
        hideRank: 2,
      },
      {
        title: "Output",
        align: "right",
        cells: toCounts(models.map(({ output_tokens: tokens }) => tokens)),
        hideRank: 2,
      },
      { title: "Cost", align: "right", cells: alignPoints(models.map(({ total_cost: cost }) => toExactDollars(cost))) },
      { title: "No cost", align: "right", cells: toCounts(models.map(({ unpriced }) => unpriced)), hideRank: 1 },
    ],
    screen,
  )
}

function describe(result: ImportResult): readonly string[] {
  const { id, requests, dry_run: isDry, total_cost: cost, first_at: first, last_at: last, unpriced, models } = result
  const lines: string[] = []
  if (models.length > MAX_MODELS) lines.push(`and ${count(models.length - MAX_MODELS, "more model")}`)
  if (requests === 0) lines.push(`${isDry ? "Nothing would be" : "Nothing was"} imported: the file has no new request`)
  else {
    const when = `from ${first!.slice(0, 10)} to ${last!.slice(0, 10)} (UTC), ${toExactDollars(cost)}`
    lines.push(
      `${count(requests, "request")} ${isDry ? "would be" : requests === 1 ? "was" : "were"} imported: ${when}`,
    )
  }
  if (unpriced > 0)
    lines.push(`${count(unpriced, "request")} of them without a cost, which counts as unknown and not as 0`)
  lines.push(...describeRest(result))
  if (id !== null) lines.push(`To remove them again: majordomo-gateway import undo ${id}`)
  return lines
}

function describeRest({ known, pruned, outside, skipped }: ImportResult): readonly string[] {
  return [
    ...(known > 0 ? [`${count(known, "request")} ${known === 1 ? "was" : "were"} there already`] : []),
    ...(outside > 0 ? [`${count(outside, "request")} outside of --since and --until`] : []),
    ...(pruned > 0 ? [`${count(pruned, "request")} left out: requests of their time were pruned`] : []),
    ...skipped.map(({ reason, records }) => `${count(records, "record")} left out: ${reason}`),
  ]
}

function count(number: number, noun: string): string {
  return `${withThousands(number)} ${noun}${number === 1 ? "" : "s"}`
}
