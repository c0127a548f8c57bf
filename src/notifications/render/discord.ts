import { formatUsd } from "../_format.ts"
import type { Message, MessageTable } from "../_message.ts"
import { SEVERITY_COLORS } from "./_colors.ts"
import { escapeMarkdown, toCodeBlock, toMarkdownLink } from "./_markdown.ts"
import { cut, isList, toLastLine, toParagraphs, toTextChart, toTextTable } from "./_text.ts"

/** Limits of Discord: https://docs.discord.com/developers/resources/message (read in November 2026). */
const MAX_TITLE = 256
const MAX_DESCRIPTION = 4096
const MAX_FIELDS = 25
const MAX_FIELD_NAME = 256
const MAX_FIELD_VALUE = 1024
/** All texts of a message together. */
const MAX_SUM = 6000

interface Field {
  readonly name: string
  readonly value: string
  readonly inline: boolean
}

/** Returns one embed. Nobody is mentioned, whatever the names are. */
export function toDiscordBody(message: Message): unknown {
  const { title, summary, fields, tables, chart, link, severity } = message
  const head = cutEscaped(title, MAX_TITLE)
  const open = link === undefined ? "" : `\n\n${toMarkdownLink(link)}`
  const paragraphs = cutEscaped(toParagraphs(summary).join("\n\n"), MAX_DESCRIPTION - open.length)
  const footer = cut(toLastLine(message), 200)
  const used = head.length + paragraphs.length + open.length + footer.length
  const all = [
    ...fields.map(({ label, value }) => toField(label, cutEscaped(value, MAX_FIELD_VALUE), true)),
    ...(chart ? [toField(chart.title, toCodeBlock(toTextChart(chart, formatUsd), MAX_FIELD_VALUE), false)] : []),
    ...tables.map((table) => toField(table.title, toTableText(table), false)),
  ]
  return {
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: head,
        description: paragraphs + open,
        color: Number.parseInt(SEVERITY_COLORS[severity].slice(1), 16),
        fields: takeFitting(all, MAX_SUM - used).slice(0, MAX_FIELDS),
        footer: { text: footer },
      },
    ],
  }
}

function toField(name: string, value: string, inline: boolean): Field {
  return { name: cutEscaped(name, MAX_FIELD_NAME) || ZERO, value: value || ZERO, inline }
}

/** Discord rejects empty texts. */
const ZERO = "\u200B"

function toTableText(table: MessageTable): string {
  if (!isList(table)) return toCodeBlock(toTextTable(table), MAX_FIELD_VALUE)
  return cut(table.rows.map(([text = ""]) => `• ${escapeMarkdown(text)}`).join("\n"), MAX_FIELD_VALUE)
}

/** Escapes a text and cuts it so that no escape is halved. */
function cutEscaped(text: string, max: number): string {
  const escaped = escapeMarkdown(text)
  return escaped.length <= max ? escaped : `${escaped.slice(0, max - 1).replace(/\\+$/, "")}…`
}

/** Returns the first fields whose texts together are short enough. */
function takeFitting(fields: readonly Field[], max: number): readonly Field[] {
  let left = max
  return fields.filter(({ name, value }) => {
    const length = name.length + value.length
    if (length > left) return false
    left -= length
    return true
  })
}
