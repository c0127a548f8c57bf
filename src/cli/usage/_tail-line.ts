import { FAILED_OUTCOMES } from "../../core/call.ts"
import type { RequestRow as Row } from "../../operations/requests/row.ts"
import type { Screen } from "../_print.ts"
import { printable, toSeconds, withThousands } from "../_text.ts"
import { displayWidth, pad, truncate } from "../_width.ts"
import { toCostCell, toMetadata, toStatus } from "./requests.ts"

interface TailColumn {
  readonly minWidth: number
  readonly maxWidth: number
  readonly align: "left" | "right"
  /** A column with a rank is hidden if the screen is too narrow, the highest rank first. */
  readonly hideRank?: number
  cell(row: Row, clock: Intl.DateTimeFormat): string
}

const COLUMNS: readonly TailColumn[] = [
  { minWidth: 8, maxWidth: 8, align: "left", cell: (row, clock) => clock.format(new Date(row["created_at"] as Date)) },
  { minWidth: 12, maxWidth: 28, align: "left", cell: (row) => String(row["model"] || row["request_path"]) },
  { minWidth: 6, maxWidth: 12, align: "left", hideRank: 4, cell: (row) => String(row["provider"]) },
  { minWidth: 7, maxWidth: 16, align: "left", hideRank: 3, cell: (row) => String(row["key_name"] ?? "") },
  { minWidth: 0, maxWidth: 16, align: "left", hideRank: 6, cell: (row) => toMetadata(row, "Feature") },
  { minWidth: 0, maxWidth: 16, align: "left", hideRank: 7, cell: (row) => toMetadata(row, "User-Id") },
  { minWidth: 3, maxWidth: 18, align: "left", cell: toStatus },
  { minWidth: 6, maxWidth: 8, align: "right", hideRank: 5, cell: (row) => toSeconds(Number(row["response_time_ms"])) },
  {
    minWidth: 7,
    maxWidth: 12,
    align: "right",
    hideRank: 2,
    cell: (row) => `${withThousands(String(row["input_tokens"]))} in`,
  },
  {
    minWidth: 7,
    maxWidth: 12,
    align: "right",
    hideRank: 1,
    cell: (row) => `${withThousands(String(row["output_tokens"]))} out`,
  },
  { minWidth: 9, maxWidth: 16, align: "right", cell: toCostCell },
]
const GAP = 2

/**
 * Creates a function that renders one line per request. A column is as wide as its widest cell so far, because later
 * rows are not known. On a narrow screen the less important columns are hidden.
 */
export function createTailLines(tz: string, screen: Screen): (row: Row) => string {
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: tz, timeStyle: "medium" })
  let columns = COLUMNS.map((column) => ({ column, width: column.minWidth }))
  // A column of metadata has no width before a request has it.
  const total = () => columns.reduce((sum, { width }) => sum + (width > 0 ? width + GAP : 0), -GAP)
  return (row) => {
    const cells = new Map(
      columns.map(({ column }) => [
        column,
        screen.width === undefined
          ? clean(column.cell(row, clock))
          : truncate(clean(column.cell(row, clock)), column.maxWidth),
      ]),
    )
    columns = columns.map(({ column, width }) => ({ column, width: Math.max(width, displayWidth(cells.get(column)!)) }))
    while (screen.width !== undefined && total() > screen.width) {
      const next = columns.toSorted((a, b) => (b.column.hideRank ?? 0) - (a.column.hideRank ?? 0))[0]!
      if (next.column.hideRank === undefined) break
      columns = columns.filter((each) => each !== next)
    }
    const line = columns
      .filter(({ width }) => width > 0)
      .map(({ column, width }) => pad(cells.get(column)!, width, column.align))
      .join(" ".repeat(GAP))
      .trimEnd()
    const shown = screen.width === undefined ? line : truncate(line, screen.width)
    return screen.color && isError(row) ? `\u001b[31m${shown}\u001b[39m` : shown
  }
}

const clean = (cell: string) => printable(cell)

function isError({ status_code, outcome }: Row): boolean {
  return Number(status_code) >= 400 || FAILED_OUTCOMES.some((failed) => failed === outcome)
}
