/** The version stands before the family in the names of Claude 3 and older, and behind it in younger ones. */
const NAME =
  /claude[\s-]*(?:(\d+(?:[.-]\d)?)[\s-]*)?(opus|sonnet|haiku|instant|[a-z]{4,}(?=[\s-]*\d))?(?:[\s-]*(\d{1,2}(?:\.\d+)?)(?![\d-]))?(?:[\s-]*v\d)?(?:[\s(]*(\d{4})-(\d{2})-(\d{2}))?/i

/**
 * Returns the id of a Claude model by the name that bills show: `Claude Sonnet 4.5` is `claude-sonnet-4-5`, and
 * `Claude 3.5 Sonnet 2024-10-22` is `claude-3-5-sonnet-20241022`. An id is returned as it is. Undefined for another text.
 */
export function findClaude(text: string): string | undefined {
  if (/^claude-[a-z0-9-]+$/.test(text)) return text
  const match = NAME.exec(text)
  if (match === null || (match[1] === undefined && match[2] === undefined)) return undefined
  const [, before, family, after, year, month, day] = match
  const number = (before ?? after)?.replace(".", "-")
  const old = number !== undefined && Number.parseInt(number, 10) < 4
  const parts = old ? [number, family] : [family, number]
  const date = year === undefined ? undefined : `${year}${month}${day}`
  return ["claude", ...parts, date]
    .filter((part) => part !== undefined)
    .join("-")
    .toLowerCase()
}
