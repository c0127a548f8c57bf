import { requests } from "../../api/routes/requests.ts"
import type { RequestRow } from "../../operations/requests/row.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { alignPoints, EXACT_OPTION, toDollars } from "../_money.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { type Column, renderTable, toCounts, toShortIds } from "../_table.ts"
import { toMoment, toShortMoments } from "../_text.ts"
import { noteUnknownValue, printEmpty } from "./_empty.ts"
import { FILTER_OPTIONS, toChoice, toPeriod } from "./_options.ts"

export default defineCommand({
  meta: { name: "requests", description: "the newest requests, newest first" },
  args: {
    ...FILTER_OPTIONS,
    trace: { type: "string", valueHint: "ID", description: "only the run of this trace or session: see usage runs" },
    limit: { type: "string", valueHint: "N", description: "at most so many (default 20)" },
    ...EXACT_OPTION,
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway usage requests --status error --since today",
    "majordomo-gateway usage requests --limit 1 --json",
  ],
  async run({ args, rawArgs }) {
    const period = toPeriod(args, Date.now(), "1970-01-01")
    const { trace, limit } = args
    const { items, empty } = await call(args, requests.list, { ...toChoice(args, rawArgs), trace, limit })
    if (args.json || args.csv) noteUnknownValue(empty)
    if (args.json) printJson(items)
    else if (args.csv) print(toCsv(Object.keys(items[0] ?? {}), items.map(toCells)))
    else if (empty) printEmpty(empty, args, period)
    else print(renderRequests(items, period.tz, findScreen()))
  },
})

/** Returns the cells of CSV, with objects as JSON. */
function toCells(row: Record<string, unknown>): unknown[] {
  return Object.values(row).map((value) =>
    typeof value === "object" && value !== null ? JSON.stringify(value) : value,
  )
}

function renderRequests(rows: readonly RequestRow[], tz: string, screen: Screen): string {
  const text = (title: string, pick: (row: RequestRow) => string, more: Partial<Column> = {}): Column => {
    return { title, align: "left", cells: rows.map(pick), ...more }
  }
  const counts = (title: string, name: string, hideRank: number): Column => {
    return { title, align: "right", cells: toCounts(rows.map((row) => Number(row[name]))), hideRank }
  }
  const toTime = (row: RequestRow) => toMoment(new Date(row["created_at"] as Date), tz)
  const ids = rows.map(({ id }) => String(id))
  const metadata = ["Feature", "User-Id"]
    .filter((name) => rows.some((row) => toMetadata(row, name) !== ""))
    .map((name, i) => text(name, (row) => toMetadata(row, name), { hideRank: 7 + i, shrinks: true }))
  return renderTable(
    [
      text("Time", toTime, { short: toShortMoments(rows.map(toTime)) }),
      text("Model", (row) => String(row["model"] || row["request_path"]), { shrinks: true }),
      text("Provider", (row) => String(row["provider"]), { hideRank: 4 }),
      text("Key", (row) => String(row["key_name"] ?? row["majordomo_api_key_id"] ?? ""), {
        hideRank: 3,
        shrinks: true,
      }),
      ...metadata,
      text("Status", toStatus),
      ...(rows.some(isSubscribed) ? [text("Billing", (row) => (isSubscribed(row) ? "subscription" : "api"))] : []),
      counts("ms", "response_time_ms", 5),
      counts("Input", "input_tokens", 2),
      counts("Output", "output_tokens", 2),
      { title: "Cost", align: "right", cells: alignPoints(rows.map(toCostCell)) },
      { title: "ID", align: "left", cells: ids, short: toShortIds(ids, 13), hideRank: 1 },
    ],
    screen,
  )
}

/** Returns the value of a metadata name of a request; "" if it has none. */
export function toMetadata({ raw_metadata: metadata }: RequestRow, name: string): string {
  return (metadata as Readonly<Record<string, string>> | null)?.[name] ?? ""
}

const isSubscribed = ({ billing }: RequestRow) => billing === "subscription"

/** Returns the status of a request, with its outcome if the answer is not complete. */
export function toStatus({ status_code, outcome }: RequestRow): string {
  return outcome === "complete" ? String(status_code) : `${status_code} ${String(outcome).replace("_", " ")}`
}

/** Renders the cost of one request. `~` means that it is an estimate. */
export function toCostCell({ total_cost, cost_status }: RequestRow): string {
  if (cost_status === "free") return "free"
  if (cost_status === "unpriced" || total_cost === null || total_cost === undefined) return "unpriced"
  return `${cost_status === "exact" ? "" : "~"}${toDollars(String(total_cost))}`
}
