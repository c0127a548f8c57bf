import type { Screen } from "./_print.ts"
import { printable, withThousands } from "./_text.ts"

export interface Column {
  readonly title: string
  readonly align: "left" | "right"
  readonly cells: readonly string[]
  /** The cell of the total line; without any the table has none. */
  readonly total?: string
  /** Columns with a number leave a screen that is too narrow, the highest first. */
  readonly leaves?: number
  /** May be cut with an ellipsis; the others are numbers, which are never cut. */
  readonly shrinks?: boolean
}

const GAP = "  "
const LEAST = 10

/** Aligned columns. On a screen they fit its width; elsewhere nothing is cut and nothing is drawn. */
export function renderTable(all: readonly Column[], screen: Screen): string {
  const columns = fit(all.map(toPrintable), screen.width)
  const widths = columns.map(widthOf)
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => pad(cell, widths[i]!, columns[i]!.align))
      .join(GAP)
      .trimEnd()
  const tint = (text: string) => (screen.colour ? text.replace(/[━█▉▊▋▌▍▎▏]+/g, "\u001b[36m$&\u001b[39m") : text)
  const rule = (screen.drawing ? "─" : "-").repeat(widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length))
  const count = Math.max(0, ...columns.map(({ cells }) => cells.length))
  const hasTotal = columns.some(({ total }) => total !== undefined)
  const bold = (text: string) => (screen.colour ? `\u001b[1m${text}\u001b[22m` : text)
  const dim = (text: string) => (screen.colour ? `\u001b[2m${text}\u001b[22m` : text)
  return [
    bold(line(columns.map(({ title }) => title))),
    dim(rule),
    ...Array.from({ length: count }, (_, row) => tint(line(columns.map(({ cells }) => cells[row] ?? "")))),
    ...(hasTotal ? [dim(rule), bold(line(columns.map(({ total }) => total ?? "")))] : []),
    "",
  ].join("\n")
}

/** A share as a percentage, and on a screen as a bar of eighths. */
export function toShares(shares: readonly number[], screen: Screen, width = 10): string[] {
  return shares.map((share) => {
    const percent = `${(share * 100).toFixed(1)}%`
    return screen.drawing ? `${percent.padStart(6)} ${toBar(share, width).padEnd(width)}` : percent
  })
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

export function toBar(share: number, width: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(Math.min(1, share) * width * 8))
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!
}

export function toCounts(counts: readonly number[]): string[] {
  return counts.map((count) => withThousands(count))
}

function fit(columns: readonly Column[], width: number | undefined): readonly Column[] {
  if (width === undefined || totalOf(columns) <= width) return columns
  const shrunk = shrink(columns, width, 18)
  if (totalOf(shrunk) <= width) return shrunk
  const leaving = columns.filter(({ leaves }) => leaves !== undefined)
  const next = leaving.toSorted((a, b) => b.leaves! - a.leaves!)[0]
  if (next !== undefined)
    return fit(
      columns.filter((column) => column !== next),
      width,
    )
  return shrink(columns, width, LEAST)
}

/** Takes what is missing from the widest of the columns that may be cut, down to `least`. */
function shrink(columns: readonly Column[], width: number, least: number): readonly Column[] {
  const excess = totalOf(columns) - width
  const widest = columns.filter(({ shrinks }) => shrinks).toSorted((a, b) => widthOf(b) - widthOf(a))[0]
  if (widest === undefined || excess <= 0 || widthOf(widest) <= least) return columns
  const to = Math.max(least, widthOf(widest) - excess)
  const cut = { ...widest, cells: widest.cells.map((cell) => ellipsis(cell, to)) }
  return columns.map((column) => (column === widest ? cut : column))
}

function toPrintable(column: Column): Column {
  return { ...column, cells: column.cells.map((cell) => printable(cell)) }
}

function totalOf(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + widthOf(column) + GAP.length, -GAP.length)
}

function widthOf({ title, cells, total }: Column): number {
  return Math.max(displayWidth(title), displayWidth(total ?? ""), ...cells.map(displayWidth))
}

function pad(cell: string, width: number, align: Column["align"]): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(cell)))
  return align === "left" ? cell + space : space + cell
}

export function ellipsis(cell: string, width: number): string {
  if (displayWidth(cell) <= width) return cell
  let kept = ""
  for (const { segment } of new Intl.Segmenter().segment(cell)) {
    if (displayWidth(kept + segment) > width - 1) break
    kept += segment
  }
  return `${kept}…`
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

/** Columns of a terminal: ideographs and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const character of text) width += /\p{M}|\u200d/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}
