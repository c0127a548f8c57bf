import { formatUsd } from "../_format.ts"
import type { Message, MessageTable } from "../_message.ts"
import { cut, isList, toLastLine, toParagraphs, toTextChart, toTextTable } from "./_text.ts"
import { toDiscordBody } from "./discord.ts"
import { toMattermostBody } from "./mattermost.ts"
import { toTeamsBody } from "./teams.ts"

type ChatFlavor = "slack" | "mattermost" | "discord" | "teams"

const BODIES: Readonly<Record<ChatFlavor, (message: Message) => unknown>> = {
  slack: toSlackBlocks,
  mattermost: toMattermostBody,
  discord: toDiscordBody,
  teams: toTeamsBody,
}

/** Returns the JSON that an incoming webhook of a chat program takes. */
export function toSlackBody(message: Message, flavor: ChatFlavor): unknown {
  return BODIES[flavor](message)
}

/** Limits of Slack: https://docs.slack.dev/reference/block-kit/blocks (read in November 2026). */
const MAX_HEADER = 150
const MAX_TEXT = 3000
const MAX_BLOCKS = 50

/**
 * Rich text has elements in place of markup, so that no name can become a link, a mention or an emoji. Only `text`, which
 * stands in the notifications of the operating system, is markup, and is escaped.
 */
function toSlackBlocks(message: Message): unknown {
  const { title, summary, fields, tables, chart, link } = message
  const blocks = [
    { type: "header", text: { type: "plain_text", text: cut(title, MAX_HEADER), emoji: false } },
    ...toParagraphs(summary).map((text) => richText(section(plain(cut(text, MAX_TEXT))))),
    ...(fields.length === 0 ? [] : [richText(section(...toFieldElements(fields)))]),
    ...(chart === undefined ? [] : [richText(section(bold(chart.title)), preformatted(toTextChart(chart, formatUsd)))]),
    ...tables.map(toTableBlock),
    ...(link === undefined ? [] : [richText(section({ type: "link", url: link.url, text: link.label }))]),
    { type: "context", elements: [{ type: "plain_text", text: cut(toLastLine(message), MAX_TEXT), emoji: false }] },
  ]
  return {
    text: escapeMarkup(cut(title, MAX_TEXT)),
    unfurl_links: false,
    unfurl_media: false,
    blocks: blocks.slice(0, MAX_BLOCKS),
  }
}

function toTableBlock(table: MessageTable): unknown {
  const { title, rows } = table
  const heading = section(bold(cut(title, MAX_TEXT)))
  if (!isList(table)) return richText(heading, preformatted(toTextTable(table)))
  const elements = rows.map(([text = ""]) => section(plain(cut(text, MAX_TEXT))))
  return richText(heading, { type: "rich_text_list", style: "bullet", elements })
}

function toFieldElements(fields: Message["fields"]): readonly unknown[] {
  return fields.flatMap(({ label, value }, i) => [
    bold(`${label}: `),
    plain(cut(value, MAX_TEXT) + (i === fields.length - 1 ? "" : "\n")),
  ])
}

const richText = (...elements: readonly unknown[]) => ({ type: "rich_text", elements })
const section = (...elements: readonly unknown[]) => ({ type: "rich_text_section", elements })
const plain = (text: string) => ({ type: "text", text })
const bold = (text: string) => ({ type: "text", text, style: { bold: true } })
const preformatted = (text: string) => ({ type: "rich_text_preformatted", elements: [plain(cut(text, MAX_TEXT))] })

function escapeMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
}
