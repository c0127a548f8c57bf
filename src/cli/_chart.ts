import type { Screen } from "./_print.ts"

/** One bar of a chart. */
interface Bar {
  readonly label: string
  readonly value: number
}

const HEIGHT = 6
const LEVELS = " ▁▂▃▄▅▆▇█"

/**
 * Draws bars side by side, `HEIGHT` lines high, with the highest value at the top left and the first and the last label
 * below. The bars use the width of the screen. If there are more bars than columns, neighbors are added up.
 */
export function renderBars(
  bars: readonly Bar[],
  { width = 80, color }: Screen,
  toText: (value: number) => string,
): string[] {
  const highest = Math.max(...bars.map(({ value }) => value))
  const scale = toText(highest)
  const columns = width - scale.length - 3
  const perGroup = Math.max(1, Math.ceil(bars.length / columns))
  const groups = Array.from({ length: Math.ceil(bars.length / perGroup) }, (_, i) =>
    bars.slice(i * perGroup, (i + 1) * perGroup),
  )
  const sums = groups.map((group) => group.reduce((sum, { value }) => sum + value, 0))
  const top = Math.max(...sums)
  const each = Math.max(1, Math.min(6, Math.floor(columns / groups.length)))
  const gap = each > 1 ? 1 : 0
  const eighths = sums.map((sum) => (sum === 0 ? 0 : Math.max(1, Math.round((sum / top) * HEIGHT * 8))))
  const tint = (text: string) => (color ? `\u001b[36m${text}\u001b[39m` : text)
  const dim = (text: string) => (color ? `\u001b[2m${text}\u001b[22m` : text)
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
