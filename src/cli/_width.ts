/** Pads a cell with spaces to a number of terminal columns. */
export function pad(cell: string, width: number, align: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(cell)))
  return align === "left" ? cell + space : space + cell
}

/** Truncates a text to a number of terminal columns; an ellipsis marks the end. */
export function truncate(cell: string, width: number): string {
  if (displayWidth(cell) <= width) return cell
  let kept = ""
  for (const { segment } of new Intl.Segmenter().segment(cell)) {
    if (displayWidth(kept + segment) > width - 1) break
    kept += segment
  }
  return `${kept}…`
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u

/**
 * Returns the number of terminal columns of a text: ideographs and emoji take two, combining marks none. An emoji of
 * several characters, such as a flag or a family, takes two.
 */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) width += WIDE.test(segment) ? 2 : countNarrow(segment)
  return width
}

function countNarrow(segment: string): number {
  return [...segment].filter((character) => !/\p{M}|\u200d/u.test(character)).length
}
