import type { Screen } from "./_print.ts"
import { printable, withThousands } from "./_text.ts"
import { displayWidth, pad, truncate } from "./_width.ts"

export interface Column {
  readonly title: string
  readonly align: "left" | "right"
  readonly cells: readonly string[]
  /** The cell of the line of totals. A table in which no column has one has no such line. */
  readonly total?: string
  /** Shorter cells, such as the beginnings of ids, if the screen is too narrow for `cells`. */
  readonly short?: readonly string[]
  /** A column with a rank is hidden if the screen is too narrow, the highest rank first. */
  readonly hideRank?: number
  /** The cells may be truncated with an ellipsis. Cells of other columns are numbers, which are never truncated. */
  readonly shrinks?: boolean
}

const GAP = "  "
/** The smallest width of a column that shrinks, before and after other columns were hidden. */
const MIN_WIDTHS = [18, 10] as const

/**
 * Renders aligned columns. On a terminal they fit its width: cells become short, then truncated, then columns are hidden.
 * Elsewhere nothing is truncated and nothing is drawn.
 */
export function renderTable(all: readonly Column[], screen: Screen): string {
  const columns = fit(all.map(toPrintable), screen.width)
  const widths = columns.map(widthOf)
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => pad(cell, widths[i]!, columns[i]!.align))
      .join(GAP)
      .trimEnd()
  const tint = (text: string) => (screen.color ? text.replace(/[━█▉▊▋▌▍▎▏]+/g, "\u001b[36m$&\u001b[39m") : text)
  const rule = (screen.drawing ? "─" : "-").repeat(widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length))
  const count = Math.max(0, ...columns.map(({ cells }) => cells.length))
  const hasTotal = columns.some(({ total }) => total !== undefined)
  const bold = (text: string) => (screen.color ? `\u001b[1m${text}\u001b[22m` : text)
  const dim = (text: string) => (screen.color ? `\u001b[2m${text}\u001b[22m` : text)
  return [
    bold(line(columns.map(({ title }) => title))),
    ...(count > 0 ? [dim(rule)] : []),
    ...Array.from({ length: count }, (_, row) => tint(line(columns.map(({ cells }) => cells[row] ?? "")))),
    ...(hasTotal ? [dim(rule), bold(line(columns.map(({ total }) => total ?? "")))] : []),
    "",
  ].join("\n")
}

/** Renders shares (0 to 1) as percentages, and on a terminal as bars too. */
export function toShares(shares: readonly number[], screen: Screen, width = 10): string[] {
  return shares.map((share) => {
    const percent = `${(share * 100).toFixed(1)}%`
    return screen.drawing ? `${percent.padStart(6)} ${toBar(share, width).padEnd(width)}` : percent
  })
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

/** Renders a bar of eighths of a column. A share above 0 is never invisible. */
export function toBar(share: number, width: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(Math.min(1, share) * width * 8))
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!
}

/** Returns the beginnings of ids that tell them apart: eight characters or more. Commands accept them in place of ids. */
export function toShortIds(ids: readonly string[], atLeast = 8): string[] {
  const all = [...new Set(ids)]
  return ids.map((id) => {
    let length = atLeast
    while (length < id.length && all.some((other) => other !== id && other.startsWith(id.slice(0, length)))) length++
    return id.slice(0, length).replace(/-$/, "")
  })
}

export function toCounts(counts: readonly number[]): string[] {
  return counts.map((count) => withThousands(count))
}

function fit(columns: readonly Column[], width: number | undefined): readonly Column[] {
  if (width === undefined || totalOf(columns) <= width) return columns
  const short = columns.find((column) => column.short !== undefined)
  if (short !== undefined) return fit(columns.with(columns.indexOf(short), shorten(short)), width)
  const shrunk = shrink(columns, width, MIN_WIDTHS[0])
  if (totalOf(shrunk) <= width) return shrunk
  const hideable = columns.filter(({ hideRank }) => hideRank !== undefined)
  const next = hideable.toSorted((a, b) => b.hideRank! - a.hideRank!)[0]
  if (next === undefined) return shrink(columns, width, MIN_WIDTHS[1])
  const others = columns.filter((column) => column !== next)
  return fit(others, width)
}

function shorten({ short, ...column }: Column): Column {
  return { ...column, cells: short! }
}

/** Truncates the columns that shrink, the widest first, down to `minWidth`, as far as needed. */
function shrink(columns: readonly Column[], width: number, minWidth: number): readonly Column[] {
  const excess = totalOf(columns) - width
  const widest = columns.filter(({ shrinks }) => shrinks).toSorted((a, b) => widthOf(b) - widthOf(a))[0]
  if (widest === undefined || excess <= 0 || widthOf(widest) <= minWidth) return columns
  const newWidth = Math.max(minWidth, widthOf(widest) - excess)
  const narrow = {
    ...widest,
    cells: widest.cells.map((cell) => truncate(cell, newWidth)),
    ...(widest.total !== undefined && { total: truncate(widest.total, newWidth) }),
  }
  // A title that is wider than its cells would stay as wide as it is, again and again.
  if (widthOf(narrow) > newWidth) return columns
  return shrink(columns.with(columns.indexOf(widest), narrow), width, minWidth)
}

function toPrintable(column: Column): Column {
  const { cells, short } = column
  return {
    ...column,
    cells: cells.map((cell) => printable(cell)),
    ...(short && { short: short.map((cell) => printable(cell)) }),
  }
}

function totalOf(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + widthOf(column) + GAP.length, -GAP.length)
}

function widthOf({ title, cells, total }: Column): number {
  return Math.max(displayWidth(title), displayWidth(total ?? ""), ...cells.map(displayWidth))
}
