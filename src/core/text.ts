/**
 * The characters that do not appear as themselves: control characters, which can move the cursor or set the title, line
 * separators, marks that change the direction of writing, and some without a width. The joiners U+200C and U+200D are
 * not among them, because Persian words and emoji need them.
 */
export const INVISIBLE = /[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

/** Completes the text "the name …" for a name that may look like another one; returns undefined for any other name. */
export function explainInvisible(name: string): string | undefined {
  const at = name.search(INVISIBLE)
  if (at < 0) return undefined
  const code = name.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0")
  return `contains the invisible character U+${code}: remove it`
}

/** Returns the first `max` UTF-16 units of a text, without half of a surrogate pair at the end. */
export function truncateText(text: string, max: number): string {
  if (text.length <= max) return text
  const last = text.charCodeAt(max - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max)
}
