import { createTable } from "../../core/table.ts"
import { formatShortDay, formatUsd, toName } from "../_format.ts"
import { type Template, toArgument, toLink, toParagraphs } from "./_template.ts"

/** The names of the causes. The dashboard has the same ones. */
const CAUSES: Readonly<Record<string, string>> = createTable({
  outside: "Outside the gateway",
  unmetered: "Not metered",
  estimated: "Estimated",
  tokens: "Tokens differ",
  price: "Price differs",
  discount: "Discount",
  fees: "Fees",
  unexplained: "Unexplained",
})

export const toReconciliationDraft: Template<"reconciliation"> = ({ facts }, context) => {
  const { provider, since, until, billed, recorded, unproven, tolerance, causes } = facts
  const name = toName(provider)
  const days = `${formatShortDay(since, "UTC")} to ${formatShortDay(until, "UTC")}`
  return {
    title: `${name} billed ${formatUsd(billed)}, and the gateway recorded ${formatUsd(recorded)}`,
    summary: toParagraphs(
      `Of the difference, ${formatUsd(unproven)} needs attention; ${formatUsd(tolerance)} would be tolerated. Bills have days in UTC: ${days}.`,
      `To see each cause with its requests and what to do about it, run: majordomo-gateway reconcile --provider ${toArgument(provider, "PROVIDER")}`,
    ),
    fields: [
      { label: "Billed", value: formatUsd(billed) },
      { label: "Recorded", value: formatUsd(recorded) },
      { label: "Needs attention", value: formatUsd(unproven) },
      { label: "Tolerated", value: formatUsd(tolerance) },
    ],
    tables: [
      {
        title: "Causes of the difference",
        columns: [{ label: "Cause" }, { label: "Amount", isNumber: true }],
        rows: causes.map(({ cause, amount }) => [CAUSES[cause] ?? toName(cause), formatUsd(amount)]),
      },
    ].filter(({ rows }) => rows.length > 0),
    link: toLink(context, { label: "Open the bill", view: "bill", params: { since: since.slice(0, 10) } }),
  }
}
