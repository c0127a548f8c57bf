import { type Invoice, NONE } from "../../operations/usage/invoice.ts"
import { toExactDollars } from "../_money.ts"
import { printable, withThousands } from "../_text.ts"
import { describePeriod } from "./_period.ts"

/** Returns an invoice as a page of HTML that can be printed. It loads nothing. */
export function toInvoicePage(invoice: Invoice): string {
  const { by, rows, total, allocation, tz, notes } = invoice
  const isShared = allocation !== undefined
  const head = [
    by[0]!,
    "Requests",
    "Input tokens",
    "Output tokens",
    ...(isShared ? ["Own cost", "Shared"] : []),
    "Amount",
  ]
  const toLine = (name: string, row: Invoice["total"], own: readonly string[]) => [
    name,
    ...[row.requests, row.input_tokens, row.output_tokens].map((count) => withThousands(count)),
    ...own,
  ]
  const lines = rows.map((row) => {
    const shared = isShared ? [toAmount(row.total_cost, row.unpriced), toAmount(row.allocated)] : []
    return toLine(String(row[by[0]!] ?? NONE), row, [...shared, toAmount(row.amount, row.unpriced)])
  })
  const sum = toLine("Total", total, [
    ...(isShared ? ["", toAmount(allocation.amount)] : []),
    toAmount(total.total_cost, total.unpriced),
  ])
  const title = `Invoice ${describePeriod(invoice)}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
body { font: 11pt/1.4 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
thead { display: table-header-group }
tr { break-inside: avoid }
th, td { text-align: right; padding: 0.25rem 0.5rem; border-bottom: 1px solid #ccc }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere }
tfoot td { font-weight: bold; border-top: 2px solid #111 }
@page { margin: 15mm }
</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>LLM usage by ${escapeHtml(by[0]!)}, in USD. Time zone: ${escapeHtml(tz)}.</p>
<table>
<thead>${toRow("th", head)}</thead>
<tbody>
${lines.map((line) => toRow("td", line)).join("\n")}
</tbody>
<tfoot>${toRow("td", sum)}</tfoot>
</table>
${isShared ? `<p>The cost of ${escapeHtml(`${by[0]}=${allocation.group}`)} is shared by ${escapeHtml(allocation.by)}.</p>\n` : ""}${notes.map((note) => `<p>Note: ${escapeHtml(note)}.</p>\n`).join("")}</body>
</html>
`
}

/**
 * Shows an amount with all its digits, because amounts must add up. `>` means that requests of it have no known price.
 * @param unpriced the number of these requests
 */
export function toAmount(amount: string | null, unpriced = 0): string {
  if (amount === null) return "unpriced"
  return `${unpriced > 0 ? ">" : ""}${toExactDollars(amount)}`
}

function toRow(cell: "th" | "td", texts: readonly string[]): string {
  return `<tr>${texts.map((text) => `<${cell}>${escapeHtml(text)}</${cell}>`).join("")}</tr>`
}

/** Groups are named by clients, so that a name can contain anything. */
function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
