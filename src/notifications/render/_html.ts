import { createTable } from "../../core/table.ts"
import { defuse, ZERO_WIDTH_SPACE } from "./_text.ts"

/** HTML that is complete and safe. */
export interface Html {
  readonly html: string
}

/** A value in a template: text is escaped, and HTML is taken as it is. */
type Part = string | number | Html | readonly Html[] | undefined

/** Builds HTML from a template. Every text in it is escaped, and cannot become a link in a mail program. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.reduce((all, text, i) => all + toHtml(parts[i - 1]) + text) }
}

/** Returns the address of a link as HTML. */
export function toAddress(url: string): Html {
  return { html: escapeHtml(url) }
}

function toHtml(part: Part): string {
  if (part === undefined) return ""
  if (typeof part === "string") return escapeHtml(defuse(part)).replaceAll(ZERO_WIDTH_SPACE, "&#8203;")
  if (typeof part === "number") return String(part)
  return "html" in part ? part.html : part.map((each) => each.html).join("")
}

const ENTITIES: Readonly<Record<string, string>> = createTable({
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
})

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char]!)
}
