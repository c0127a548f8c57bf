/** Returns the first `max` UTF-16 units of a text, without half of a surrogate pair at the end. */
export function truncateText(text: string, max: number): string {
  if (text.length <= max) return text
  const last = text.charCodeAt(max - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max)
}
