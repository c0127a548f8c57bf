import { truncateText } from "../../core/text.ts"
import type { Message, MessageChart, MessageTable } from "../_message.ts"

export const ZERO_WIDTH_SPACE = "\u200B"

/**
 * Breaks what a program would turn into a link or a mention: addresses, domains, `@name`. A zero-width space in it is not
 * visible.
 */
export function defuse(text: string): string {
  return text
    .replaceAll("://", `:${ZERO_WIDTH_SPACE}//`)
    .replaceAll("@", `@${ZERO_WIDTH_SPACE}`)
    .replace(/\.(?=\p{L}{2,})/gu, `${ZERO_WIDTH_SPACE}.`)
}

/** Cuts a text to a limit of a channel, in UTF-16 units. */
export function cut(text: string, max: number): string {
  return text.length <= max ? text : `${truncateText(text, max - 1)}…`
}

export function toParagraphs(text: string): string[] {
  return text.split("\n\n")
}

/** Whether a table is a list of sentences. */
export function isList({ columns }: MessageTable): boolean {
  return columns.length === 1
}

const MAX_NAME = 28

/** Returns a table in columns of equal width, for a font in which all characters are equally wide. */
export function toTextTable({ columns, rows }: MessageTable): string {
  const cells = [columns.map(({ label }) => label), ...rows].map((row) =>
    row.map((cell, i) => (columns[i]?.isNumber ? cell : cut(cell, MAX_NAME))),
  )
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => widthOf(row[i] ?? ""))))
  const lines = cells.map((row) =>
    columns
      .map(({ isNumber }, i) => {
        const cell = row[i] ?? ""
        const space = " ".repeat(Math.max(0, widths[i]! - widthOf(cell)))
        return isNumber ? space + cell : cell + space
      })
      .join("  ")
      .trimEnd(),
  )
  return lines.join("\n")
}

/** Counts characters; those of East Asian scripts and emoji take two columns. */
function widthOf(text: string): number {
  let width = 0
  for (const char of text) width += /\p{M}/u.test(char) ? 0 : WIDE.test(char) ? 2 : 1
  return width
}

const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}]/u

const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

/** Returns a chart in one line, and what its ends and its highest bar are. */
export function toTextChart({ points }: MessageChart, formatUsd: (decimal: string) => string): string {
  const values = points.map(({ value }) => Math.max(0, Number(value)))
  const max = Math.max(...values)
  const bars = values.map((value) => (max === 0 ? BARS[0] : BARS[Math.min(7, Math.floor((value / max) * 7.999))]))
  const highest = points[values.indexOf(max)]!
  const peak = max === 0 ? "" : `; highest: ${formatUsd(highest.value)} at ${highest.at}`
  return `${bars.join("")}\n${points[0]!.at} to ${points.at(-1)!.at}${peak}`
}

const SEVERITIES = { info: "Info", warning: "Warning", critical: "Critical" } as const

/** The last line of a message: how severe it is, and the footer. */
export function toLastLine({ severity, footer }: Pick<Message, "severity" | "footer">): string {
  return severity === "info" ? footer : `${SEVERITIES[severity]} · ${footer}`
}
