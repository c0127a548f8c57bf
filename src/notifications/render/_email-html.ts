import { formatUsd } from "../_format.ts"
import type { Message, MessageChart, MessageTable } from "../_message.ts"
import { SEVERITY_COLORS } from "./_colors.ts"
import { type Html, html, toAddress } from "./_html.ts"
import { isList, toLastLine, toParagraphs } from "./_text.ts"

const FONT = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
const NUMBERS = "font-variant-numeric:tabular-nums"

/**
 * Mail programs keep inline styles and tables, and few of them anything else. The classes are for those that know dark mode;
 * in all others the mail is light.
 */
const DARK = `
  :root { color-scheme: light dark; supported-color-schemes: light dark; }
  @media (prefers-color-scheme: dark) {
    .page { background: #14161a !important; }
    .card { background: #1d2025 !important; border-left-color: #343941 !important; border-right-color: #343941 !important; border-bottom-color: #343941 !important; }
    .ink { color: #eceef1 !important; }
    .soft { color: #a7aeb8 !important; }
    .rule { border-color: #343941 !important; }
    .bar { background: #6ea8e0 !important; }
    .link { background: #6ea8e0 !important; color: #0d1116 !important; }
  }
  @media (max-width: 480px) {
    .pad { padding-left: 16px !important; padding-right: 16px !important; }
    .value { font-size: 14px !important; line-height: 20px !important; }
  }`

/** Returns the HTML of a mail: 600 px wide at most, as wide as the screen below. */
export function toEmailHtml(message: Message): string {
  const { title, summary, fields, tables, chart, link, severity } = message
  const style: Html = { html: `<style>${DARK}</style>` }
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${title}</title>
${style}
</head>
<body class="page" style="margin:0;padding:0;background:#f3f4f6">
<div style="display:none;max-height:0;overflow:hidden">${toParagraphs(summary)[0]}</div>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" style="background:#f3f4f6"><tr><td align="center" style="padding:16px 8px">
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" style="max-width:600px;background:#ffffff;border:1px solid #dde1e6;border-top:4px solid ${SEVERITY_COLORS[severity]};border-radius:6px;${FONT};text-align:left">
<tr><td class="pad" style="padding:24px 28px 4px"><h1 class="ink" style="margin:0;font-size:20px;line-height:28px;font-weight:600;color:#16191d;word-break:break-word">${title}</h1></td></tr>
${toParagraphs(summary).map(toParagraph)}
${toFieldRow(fields)}
${chart && toChartRow(chart)}
${tables.map(toTableRow)}
${link && toLinkRow(link)}
<tr><td class="pad" style="padding:20px 28px 24px"><p class="soft" style="margin:0;font-size:12px;line-height:18px;color:#5b626c">${toLastLine(message)}</p></td></tr>
</table>
</td></tr></table>
</body>
</html>
`.html
}

function toParagraph(text: string): Html {
  return html`<tr><td class="pad" style="padding:8px 28px 0"><p class="ink" style="margin:0;font-size:15px;line-height:23px;color:#2b3036;word-break:break-word">${text}</p></td></tr>`
}

function toFieldRow(fields: Message["fields"]): Html | undefined {
  if (fields.length === 0) return undefined
  const width = fields.length % 3 === 0 ? 3 : 2
  const lines = fields.flatMap((_, i) => (i % width === 0 ? [fields.slice(i, i + width)] : []))
  const cells = (line: Message["fields"]) =>
    line.map(
      ({ label, value }) =>
        html`<td width="${Math.floor(100 / width)}%" valign="top" style="padding:10px 8px 0 0;word-break:break-word"><div class="soft" style="font-size:12px;line-height:16px;color:#5b626c">${label}</div><div class="ink value" style="font-size:16px;line-height:22px;font-weight:600;color:#16191d;${NUMBERS}">${value}</div></td>`,
    )
  return html`<tr><td class="pad" style="padding:10px 28px 0"><table role="presentation" width="100%" cellpadding="0" cellspacing="0">${lines.map((line) => html`<tr>${cells(line)}</tr>`)}</table></td></tr>`
}

const HEIGHT = 72

/** Returns a bar chart of table cells, because many mail programs show neither SVG nor pictures. */
function toChartRow({ title, points }: MessageChart): Html {
  const values = points.map(({ value }) => Math.max(0, Number(value)))
  const max = Math.max(...values)
  const highest = points[values.indexOf(max)]!
  const bars = points.map(({ at, value }, i) => {
    const height = max === 0 ? 1 : Math.max(1, Math.round((values[i]! / max) * HEIGHT))
    return html`<td valign="bottom" title="${at}: ${formatUsd(value)}" style="padding:0 1px;height:${HEIGHT}px;vertical-align:bottom"><div class="bar" style="height:${height}px;font-size:0;line-height:0;background:#2f6fb0;border-radius:2px 2px 0 0">&nbsp;</div></td>`
  })
  const peak = max === 0 ? "" : `highest: ${formatUsd(highest.value)} (${highest.at})`
  return html`<tr><td class="pad" style="padding:22px 28px 0">
${toHeading(title)}
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" class="rule" style="table-layout:fixed;border-bottom:1px solid #dde1e6"><tr>${bars}</tr></table>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr>
<td class="soft" align="left" style="padding-top:4px;font-size:12px;line-height:16px;color:#5b626c">${points[0]!.at}</td>
<td class="soft" align="center" style="padding-top:4px;font-size:12px;line-height:16px;color:#5b626c">${peak}</td>
<td class="soft" align="right" style="padding-top:4px;font-size:12px;line-height:16px;color:#5b626c">${points.at(-1)!.at}</td>
</tr></table></td></tr>`
}

function toTableRow(table: MessageTable): Html {
  return html`<tr><td class="pad" style="padding:22px 28px 0">${toHeading(table.title)}${isList(table) ? toList(table) : toTable(table)}</td></tr>`
}

const toHeading = (title: string): Html =>
  html`<h2 class="ink" style="margin:0 0 6px;font-size:14px;line-height:20px;font-weight:600;color:#16191d">${title}</h2>`

function toList({ rows }: MessageTable): Html {
  const items = rows.map(
    ([text]) =>
      html`<li class="ink" style="margin:0 0 6px;font-size:14px;line-height:21px;color:#2b3036;word-break:break-word">${text}</li>`,
  )
  return html`<ul style="margin:0;padding:0 0 0 18px">${items}</ul>`
}

function toTable({ columns, rows }: MessageTable): Html {
  const align = (i: number) => (columns[i]?.isNumber ? "right" : "left")
  const nowrap = (i: number) => (columns[i]?.isNumber ? "white-space:nowrap" : "word-break:break-word")
  const head = columns.map(
    ({ label }, i) =>
      html`<th scope="col" class="soft rule" align="${align(i)}" style="padding:4px 0 4px ${i === 0 ? 0 : 10}px;border-bottom:1px solid #dde1e6;font-size:12px;line-height:16px;font-weight:400;color:#5b626c;text-align:${align(i)}">${label}</th>`,
  )
  const lines = rows.map((row) => {
    const cells = row.map(
      (cell, i) =>
        html`<td class="ink rule" align="${align(i)}" valign="top" style="padding:6px 0 6px ${i === 0 ? 0 : 10}px;border-bottom:1px solid #eceef1;font-size:14px;line-height:20px;color:#2b3036;text-align:${align(i)};${nowrap(i)};${NUMBERS}">${cell}</td>`,
    )
    return html`<tr>${cells}</tr>`
  })
  return html`<table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse"><thead><tr>${head}</tr></thead><tbody>${lines}</tbody></table>`
}

function toLinkRow({ label, url }: NonNullable<Message["link"]>): Html {
  return html`<tr><td class="pad" style="padding:24px 28px 0"><a class="link" href="${toAddress(url)}" style="display:inline-block;padding:10px 18px;border-radius:5px;background:#2f6fb0;color:#ffffff;font-size:15px;line-height:20px;font-weight:600;text-decoration:none">${label}</a></td></tr>`
}
