import { formatUsd } from "../_format.ts"
import type { Message, MessageTable } from "../_message.ts"
import { SEVERITY_COLORS } from "./_colors.ts"
import { escapeMarkdown, toCodeBlock, toMarkdownLink } from "./_markdown.ts"
import { cut, isList, toLastLine, toParagraphs, toTextChart, toTextTable } from "./_text.ts"

/** Mattermost cuts a post at 16,383 characters: https://developers.mattermost.com/integrate/webhooks/incoming/. */
const MAX_TEXT = 12_000
const MAX_BLOCK = 4000

/** Returns one attachment, which Mattermost took over from Slack. Its texts are Markdown. */
export function toMattermostBody(message: Message): unknown {
  const { title, summary, fields, tables, chart, link, severity } = message
  const parts = [
    ...toParagraphs(summary).map(escapeMarkdown),
    ...(chart ? [`**${escapeMarkdown(chart.title)}**\n${toCodeBlock(toTextChart(chart, formatUsd), MAX_BLOCK)}`] : []),
    ...tables.map((table) => `**${escapeMarkdown(table.title)}**\n${toTableText(table)}`),
    ...(link === undefined ? [] : [toMarkdownLink(link)]),
  ]
  return {
    attachments: [
      {
        fallback: escapeMarkdown(title),
        color: SEVERITY_COLORS[severity],
        title: escapeMarkdown(title),
        ...(link !== undefined && { title_link: link.url }),
        text: takeParts(parts).join("\n\n"),
        fields: fields.map(({ label, value }) => ({ title: label, value: escapeMarkdown(value), short: true })),
        footer: toLastLine(message),
      },
    ],
  }
}

function toTableText(table: MessageTable): string {
  if (!isList(table)) return toCodeBlock(toTextTable(table), MAX_BLOCK)
  return table.rows.map(([text = ""]) => `* ${escapeMarkdown(cut(text, MAX_BLOCK))}`).join("\n")
}

/** Leaves out whole parts above the limit, because half of a code block would make markup of the rest. */
function takeParts(parts: readonly string[]): readonly string[] {
  let left = MAX_TEXT
  return parts.filter(({ length }) => {
    if (length > left) return false
    left -= length
    return true
  })
}
