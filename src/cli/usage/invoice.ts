import { writeFile } from "node:fs/promises"
import { outlook } from "../../api/routes/outlook.ts"
import { CommandError } from "../../core/errors.ts"
import { FOCUS_COLUMNS, toFocusCells } from "../../operations/usage/focus.ts"
import { INVOICE_MEASURES, type Invoice, NONE } from "../../operations/usage/invoice.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { alignPoints } from "../_money.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { renderCsv } from "./_breakdown.ts"
import { toAmount, toInvoicePage } from "./_invoice-page.ts"
import { printNotes } from "./_notes.ts"
import { FILTER_OPTIONS, toChoice } from "./_options.ts"
import { toPeriodLine } from "./_period.ts"

const { since: _since, until: _until, period: _period, month: _month, ...FILTERS } = FILTER_OPTIONS

export default defineCommand({
  meta: {
    name: "invoice",
    description: "what each group owes for a calendar month; the amounts add up to the total of usage",
  },
  args: {
    by: { type: "string", valueHint: "DIM", description: "key (default), model, or a metadata name such as Team" },
    ...FILTERS,
    month: { type: "string", valueHint: "MONTH", description: "such as 2026-10, or last-month (default)" },
    allocate: {
      type: "string",
      valueHint: "GROUP",
      description: "share the cost of a group among the others: 'Team=(none) by requests', or by cost",
    },
    html: { type: "string", valueHint: "FILE", description: "also write a page that can be printed" },
    focus: { type: "string", valueHint: "FILE", description: "also write CSV by the FOCUS 1.2 specification" },
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway usage invoice --month 2026-10 --by Team",
    "majordomo-gateway usage invoice --by Team --allocate 'Team=(none) by requests' --html invoice.html",
    "majordomo-gateway usage invoice --month last-month --by Team --focus october.csv",
  ],
  async run({ args, rawArgs }) {
    checkFormat(args)
    const { since: _since, until: _until, period: _period, ...choice } = toChoice(args, rawArgs)
    const { by, allocate } = args
    const lines = args.focus === undefined ? "false" : "true"
    const invoice = await call(args, outlook.invoice, { ...choice, by, allocate, lines })
    printNotes(invoice.notes)
    if (args.html !== undefined) await write(args.html, toInvoicePage(invoice))
    if (args.focus !== undefined) await write(args.focus, toCsv(FOCUS_COLUMNS, toFocusCells(invoice)))
    if (args.json) printJson(invoice)
    else if (args.csv) print(renderCsv(invoice, [...INVOICE_MEASURES, "allocated", "amount"]))
    else print(toPeriodLine(invoice) + renderInvoice(invoice, findScreen()))
  },
})

/** @throws CommandError if the file cannot be written */
async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
    printMessage(`wrote ${file}`)
  } catch (error) {
    throw new CommandError(`${file} cannot be written: ${(error as Error).message}`)
  }
}

export function renderInvoice({ by, rows, total, allocation }: Invoice, screen: Screen): string {
  const column = (title: string, cells: readonly string[], sum: string, hideRank?: number) =>
    ({ title, align: "right", cells, total: sum, hideRank }) as const
  const money = (title: string, amounts: readonly string[], sum: string) => {
    const cells = alignPoints([...amounts, sum])
    return column(title, cells.slice(0, -1), cells.at(-1)!)
  }
  const counts = (title: string, name: "requests" | "input_tokens" | "output_tokens", hideRank?: number) => {
    const cells = toCounts([...rows, total].map((row) => row[name]))
    return column(title, cells.slice(0, -1), cells.at(-1)!, hideRank)
  }
  const shared = allocation && [
    column("Own cost", alignPoints(rows.map((row) => toAmount(row.total_cost, row.unpriced))), ""),
    money(
      "Shared",
      rows.map(({ allocated }) => toAmount(allocated)),
      toAmount(allocation.amount),
    ),
  ]
  const table = renderTable(
    [
      {
        title: by[0]!,
        align: "left",
        cells: rows.map((row) => String(row[by[0]!] ?? NONE)),
        total: "Total",
        shrinks: true,
      },
      counts("Requests", "requests"),
      counts("Input", "input_tokens", 2),
      counts("Output", "output_tokens", 2),
      ...(shared ?? []),
      money(
        "Amount",
        rows.map((row) => toAmount(row.amount, row.unpriced)),
        toAmount(total.total_cost, total.unpriced),
      ),
    ],
    screen,
  )
  if (allocation === undefined) return table
  const { group, by: weight, amount } = allocation
  return `${table}Shared: ${toAmount(amount)} of ${by[0]}=${group}, by ${weight}.\n`
}
