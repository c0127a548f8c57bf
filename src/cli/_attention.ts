import type { Screen } from "./_print.ts"
import { printable, wrap } from "./_text.ts"

/** A sentence about something that needs attention, and what to do about it. */
interface Item {
  readonly level: "problem" | "notice"
  readonly message: string
  readonly fix: string | undefined
}

const RED = ["\u001b[31m", "\u001b[39m"] as const
const BOLD = ["\u001b[1m", "\u001b[22m"] as const

/** Renders a mark for a terminal (`✗`), or a word (`problem`) elsewhere. */
export function toMark(level: "ok" | "problem" | "notice" | "skipped", { drawing, color }: Screen): string {
  const mark = { ok: "✓", notice: "!", problem: "✗", skipped: "-" }[level]
  const word = { ok: "ok", notice: "notice", problem: "problem", skipped: "skipped" }[level]
  const shown = drawing ? mark : word.padEnd("skipped".length)
  const tint = { ok: undefined, notice: BOLD, problem: RED, skipped: undefined }[level]
  return color && tint ? `${tint[0]}${shown}${tint[1]}` : shown
}

/** Renders the answer to "is everything well?": one line, and below it what is not, each with what to do next. */
export function renderAttention(items: readonly Item[], screen: Screen): string[] {
  const bold = (text: string) => (screen.color ? `${BOLD[0]}${text}${BOLD[1]}` : text)
  if (items.length === 0) return [bold("Everything is well.")]
  const head = items.length === 1 ? "1 thing needs attention:" : `${items.length} things need attention:`
  const markWidth = screen.drawing ? 1 : "skipped".length
  const indent = " ".repeat(markWidth + 4)
  const room = screen.width === undefined ? undefined : screen.width - indent.length - "-> ".length
  return [
    bold(head),
    ...items.flatMap(({ level, message, fix }) => {
      const [first = "", ...more] = wrap(printable(message), room)
      const advice = fix === undefined ? [] : wrap(printable(fix), room)
      return [
        `  ${toMark(level, screen)}  ${first}`,
        ...more.map((line) => indent + line),
        ...advice.map((line, i) => `${indent}${i === 0 ? "->" : "  "} ${line}`),
      ]
    }),
  ]
}
