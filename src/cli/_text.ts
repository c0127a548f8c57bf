import { redactSecretValues } from "../core/secrets.ts"
import { INVISIBLE } from "../core/text.ts"
import { displayWidth } from "./_width.ts"

/** Makes a message safe for people: without credentials of known shapes, and without invisible characters but newlines. */
export function toMessage(text: string): string {
  return printable(redactSecretValues(text), "lines")
}

/** Makes text from outside safe for people: invisible characters become U+FFFD. `lines` keeps newlines. */
export function printable(text: string, keep?: "lines"): string {
  return text.replace(INVISIBLE, (character) => (keep === "lines" && character === "\n" ? character : "\ufffd"))
}

/** Returns a value as JSON in which invisible characters are escaped, also those that JSON itself does not escape. */
export function toPrintableJson(value: unknown, indent?: number): string {
  return escapeUnprintable(JSON.stringify(value, undefined, indent))
}

/** Escapes the invisible characters of JSON text, which stays the same value. */
export function escapeUnprintable(json: string): string {
  return json.replace(INVISIBLE, (character) =>
    // Between its values, JSON may have these.
    character === "\n" || character === "\t"
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}

/** Returns a number with separators: 1234567 -> "1,234,567", and "1234.56789" -> "1,234.56789". */
export function withThousands(number: string | number | bigint): string {
  const [whole, ...fraction] = String(number).split(".")
  return [whole!.replace(/\B(?=(\d{3})+(?!\d))/g, ","), ...fraction].join(".")
}

/** Returns a time as tables show it: `2026-11-21 09:30:05` in a time zone. */
export function toMoment(at: Date, tz: string): string {
  const parts = new Intl.DateTimeFormat("sv-SE", { timeZone: tz, dateStyle: "short", timeStyle: "medium" })
  return parts.format(at)
}

/** Breaks text between words into lines of at most `width` columns; if `width` is undefined, into one line. */
export function wrap(text: string, width: number | undefined): string[] {
  const lines: string[] = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && (width === undefined || displayWidth(last) + 1 + displayWidth(word) <= width))
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** Breaks lines of prose between words. Lines that begin with a space, such as commands to copy, stay as they are. */
export function wrapProse(text: string, width: number | undefined): string {
  return text
    .split("\n")
    .flatMap((line) => (line.startsWith(" ") ? [line] : wrap(line, width)))
    .join("\n")
}

/** Returns moments without their years and seconds, for narrow screens: `2026-11-21 09:30:05` -> `11-21 09:30`. */
export function toShortMoments(moments: readonly string[]): string[] {
  return moments.map((moment) => moment.replace(/^\d{4}-(\d\d-\d\d \d\d:\d\d):\d\d$/, "$1"))
}

/** Formats the duration of a request: `850ms`, `1.9s`. */
export function toSeconds(ms: number): string {
  return ms < 1000 ? `${ms}ms` : `${(ms / 1000).toFixed(1)}s`
}
