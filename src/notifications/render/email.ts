import { INVISIBLE } from "../../core/text.ts"
import { formatUsd } from "../_format.ts"
import type { Message, MessageTable } from "../_message.ts"
import { toEmailHtml } from "./_email-html.ts"
import { cut, defuse, isList, toLastLine, toParagraphs, toTextChart, toTextTable } from "./_text.ts"

interface Email {
  /** One line. */
  readonly subject: string
  readonly text: string
  readonly html: string
}

const MAX_SUBJECT = 180
const WIDTH = 76

/** Returns a message as mail: a text part, and an HTML part without pictures and scripts. Both say the same. */
export function toEmail(message: Message): Email {
  return { subject: toSubject(message.title), text: toText(message), html: toEmailHtml(message) }
}

function toSubject(title: string): string {
  return cut(title.replace(INVISIBLE, " ").replace(/\s+/g, " ").trim(), MAX_SUBJECT)
}

function toText(message: Message): string {
  const { title, summary, fields, tables, chart, link } = message
  const width = Math.max(0, ...fields.map(({ label }) => label.length))
  const parts = [
    wrap(defuse(title)),
    ...toParagraphs(summary).map((text) => wrap(defuse(text))),
    fields.map(({ label, value }) => defuse(`${`${label}:`.padEnd(width + 2)} ${value}`)).join("\n"),
    chart && `${toHeading(chart.title)}\n${toTextChart(chart, formatUsd)}`,
    ...tables.map((table) => `${toHeading(table.title)}\n${toTableText(table)}`),
    link && `${link.label}:\n${link.url}`,
    `-- \n${toLastLine(message)}`,
  ]
  return `${parts.filter((part) => part !== undefined && part !== "").join("\n\n")}\n`
}

function toHeading(title: string): string {
  return `${defuse(title)}\n${"-".repeat(title.length)}`
}

function toTableText(table: MessageTable): string {
  if (!isList(table)) return defuse(toTextTable(table))
  return table.rows.map(([text = ""]) => wrap(`* ${defuse(text)}`, "  ")).join("\n")
}

/** Breaks a paragraph into lines. */
function wrap(text: string, indent = ""): string {
  const lines: string[] = []
  let line = ""
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = indent + word
    } else line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, line].join("\n")
}
