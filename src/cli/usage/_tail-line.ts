import type { Screen } from "../_print.ts"
import { displayWidth, ellipsis } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { toCostCell } from "./requests.ts"

type Row = Readonly<Record<string, unknown>>

interface TailColumn {
  readonly least: number
  readonly most: number
  readonly align: "left" | "right"
  /** Columns with a number leave a narrow screen, the highest first. */
  readonly leaves?: number
  cell(row: Row, clock: Intl.DateTimeFormat): string
}

const COLUMNS: readonly TailColumn[] = [
  { least: 8, most: 8, align: "left", cell: (row, clock) => clock.format(new Date(row["created_at"] as Date)) },
  { least: 12, most: 28, align: "left", cell: (row) => String(row["model"] || row["request_path"]) },
  { least: 6, most: 12, align: "left", leaves: 4, cell: (row) => String(row["provider"]) },
  { least: 7, most: 16, align: "left", leaves: 3, cell: (row) => String(row["key_name"] ?? "") },
  { least: 3, most: 18, align: "left", cell: toStatus },
  { least: 6, most: 8, align: "right", leaves: 5, cell: (row) => toDuration(Number(row["response_time_ms"])) },
  { least: 7, most: 12, align: "right", leaves: 2, cell: (row) => `${withThousands(String(row["input_tokens"]))} in` },
  {
    least: 7,
    most: 12,
    align: "right",
    leaves: 1,
    cell: (row) => `${withThousands(String(row["output_tokens"]))} out`,
  },
  { least: 9, most: 16, align: "right", cell: toCostCell },
]
const GAP = 2

/**
 * One line per request, aligned although nobody knows what comes: a column is as wide as its widest cell so far, and on
 * a narrow screen the less needed ones go.
 */
export function createTailLines(tz: string, screen: Screen): (row: Row) => string {
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: tz, timeStyle: "medium" })
  let columns = COLUMNS.map((column) => ({ column, width: column.least }))
  const total = () => columns.reduce((sum, { width }) => sum + width + GAP, -GAP)
  return (row) => {
    const cells = new Map(
      columns.map(({ column }) => [
        column,
        screen.width === undefined
          ? clean(column.cell(row, clock))
          : ellipsis(clean(column.cell(row, clock)), column.most),
      ]),
    )
    columns = columns.map(({ column, width }) => ({ column, width: Math.max(width, displayWidth(cells.get(column)!)) }))
    while (screen.width !== undefined && total() > screen.width) {
      const leaving = columns.toSorted((a, b) => (b.column.leaves ?? 0) - (a.column.leaves ?? 0))[0]!
      if (leaving.column.leaves === undefined) break
      columns = columns.filter((each) => each !== leaving)
    }
    const line = columns
      .map(({ column, width }) => pad(cells.get(column)!, width, column.align))
      .join(" ".repeat(GAP))
      .trimEnd()
    const shown = screen.width === undefined ? line : ellipsis(line, screen.width)
    return screen.colour && isError(row) ? `\u001b[31m${shown}\u001b[39m` : shown
  }
}

const clean = (cell: string) => printable(cell)

function pad(cell: string, width: number, align: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(cell)))
  return align === "left" ? cell + space : space + cell
}

function toStatus({ status_code, outcome }: Row): string {
  return outcome === "complete" ? String(status_code) : `${status_code} ${String(outcome).replace("_", " ")}`
}

function toDuration(ms: number): string {
  return ms < 1000 ? `${ms}ms` : `${(ms / 1000).toFixed(1)}s`
}

function isError({ status_code, outcome }: Row): boolean {
  return Number(status_code) >= 400 || outcome === "upstream_broke" || outcome === "gateway_died"
}
