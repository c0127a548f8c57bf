import type { Screen } from "./_print.ts"

export interface Bar {
  readonly label: string
  readonly value: number
}

const HEIGHT = 6
const LEVELS = " ▁▂▃▄▅▆▇█"

/**
 * Bars side by side, of the height of `HEIGHT` lines, under each other the highest value and nothing, below them the
 * first and the last label. As wide as the screen lets them be; where there are more than columns, several become one.
 */
export function renderBars(
  bars: readonly Bar[],
  { width = 80, colour }: Screen,
  toText: (value: number) => string,
): string[] {
  const highest = Math.max(...bars.map(({ value }) => value))
  const scale = toText(highest)
  const room = width - scale.length - 3
  const perBar = Math.max(1, Math.ceil(bars.length / room))
  const groups = Array.from({ length: Math.ceil(bars.length / perBar) }, (_, i) =>
    bars.slice(i * perBar, (i + 1) * perBar),
  )
  const sums = groups.map((group) => group.reduce((sum, { value }) => sum + value, 0))
  const top = Math.max(...sums)
  const each = Math.max(1, Math.min(6, Math.floor(room / groups.length)))
  const gap = each > 1 ? 1 : 0
  const eighths = sums.map((sum) => (sum === 0 ? 0 : Math.max(1, Math.round((sum / top) * HEIGHT * 8))))
  const tint = (text: string) => (colour ? `\u001b[36m${text}\u001b[39m` : text)
  const dim = (text: string) => (colour ? `\u001b[2m${text}\u001b[22m` : text)
  const axis = (line: number) =>
    line === HEIGHT - 1 ? `${toText(top).padStart(scale.length)} ┤` : `${" ".repeat(scale.length)} │`
  const lines = Array.from({ length: HEIGHT }, (_, i) => {
    const line = HEIGHT - 1 - i
    const cells = eighths.map((height) => {
      const level = Math.max(0, Math.min(8, height - line * 8))
      return LEVELS[level]!.repeat(each - gap) + " ".repeat(gap)
    })
    return dim(axis(line)) + tint(cells.join("").trimEnd())
  })
  const [first = "", last = ""] = [bars[0]?.label, bars.at(-1)?.label]
  const length = groups.length * each - gap
  const middle = " ".repeat(Math.max(1, length - first.length - last.length))
  const labels = groups.length === 1 || length < first.length + last.length + 1 ? first : `${first}${middle}${last}`
  const floor = `${" ".repeat(scale.length)} └${"─".repeat(length)}`
  return [...lines, dim(floor), dim(`${" ".repeat(scale.length + 2)}${labels}`)]
}
