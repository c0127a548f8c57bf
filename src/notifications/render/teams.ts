import { formatUsd } from "../_format.ts"
import type { Message, MessageTable } from "../_message.ts"
import { cut, isList, toLastLine, toParagraphs, toTextChart } from "./_text.ts"

/** Teams rejects messages above 28 KB: https://learn.microsoft.com/microsoftteams/limits-specifications-teams. */
const MAX_BYTES = 24_000
const MAX_TEXT = 2000
const COLORS = { info: "accent", warning: "warning", critical: "attention" } as const

/**
 * Returns an Adaptive Card as webhooks of Workflows take it. Runs of rich text are not Markdown, in contrast to text blocks
 * and facts, so that no name becomes a link or a mention.
 */
export function toTeamsBody(message: Message): unknown {
  const { title, summary, fields, tables, chart, link, severity } = message
  const elements = [
    text(title, { size: "large", weight: "bolder", color: severity === "info" ? "default" : COLORS[severity] }),
    ...toParagraphs(summary).map((paragraph) => text(paragraph)),
    ...toPairs(fields).map(toFieldColumns),
    ...(chart
      ? [
          text(chart.title, { weight: "bolder" }, "medium"),
          text(toTextChart(chart, formatUsd), { fontType: "monospace" }),
        ]
      : []),
    ...tables.flatMap(toTableElements),
    text(toLastLine(message), { size: "small", isSubtle: true }, "medium"),
  ]
  const card = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    msteams: { width: "Full" },
    fallbackText: cut(title, MAX_TEXT),
    body: takeElements(elements),
    ...(link !== undefined && { actions: [{ type: "Action.OpenUrl", title: link.label, url: link.url }] }),
  }
  return {
    type: "message",
    attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content: card }],
  }
}

function text(value: string, style: Readonly<Record<string, unknown>> = {}, spacing = "default"): unknown {
  return { type: "RichTextBlock", spacing, inlines: [{ type: "TextRun", text: cut(value, MAX_TEXT), ...style }] }
}

function toFieldColumns(pair: Message["fields"]): unknown {
  return {
    type: "ColumnSet",
    columns: pair.map(({ label, value }) => ({
      type: "Column",
      width: "stretch",
      items: [text(label, { size: "small", isSubtle: true }), text(value, { weight: "bolder" }, "none")],
    })),
  }
}

function toPairs(fields: Message["fields"]): (readonly Message["fields"][number][])[] {
  return fields.flatMap((_, i) => (i % 2 === 0 ? [fields.slice(i, i + 2)] : []))
}

function toTableElements(table: MessageTable): readonly unknown[] {
  const { title, columns, rows } = table
  const heading = text(title, { weight: "bolder" }, "medium")
  if (isList(table)) return [heading, ...rows.map(([sentence = ""]) => text(`• ${sentence}`, {}, "small"))]
  const toRow = (cells: readonly string[], style: object) => ({
    type: "ColumnSet",
    spacing: "small",
    columns: columns.map(({ isNumber }, i) => ({
      type: "Column",
      width: isNumber ? 1 : 2,
      items: [{ ...(text(cells[i] ?? "", { ...style }) as object), horizontalAlignment: isNumber ? "right" : "left" }],
    })),
  })
  const head = toRow(
    columns.map(({ label }) => label),
    { size: "small", isSubtle: true },
  )
  return [heading, head, ...rows.map((row) => toRow(row, {}))]
}

/** Returns the first elements that fit into a message. */
function takeElements(elements: readonly unknown[]): readonly unknown[] {
  let left = MAX_BYTES
  return elements.filter((element) => {
    const bytes = new TextEncoder().encode(JSON.stringify(element)).byteLength
    if (bytes > left) return false
    left -= bytes
    return true
  })
}
