/** @typedef {{ what: string, against: string, gateway: string, ratio: string, goal: string, met: boolean | undefined }} Line */

const HEAD = ["", "against", "gateway", "ratio", "goal", ""]

/** @param {readonly Line[]} lines */
function toRows(lines) {
  return lines.map(({ what, against, gateway, ratio, goal, met }) => [
    what,
    against,
    gateway,
    ratio,
    goal,
    verdict(met),
  ])
}

/** Formats a table for the terminal. @param {readonly Line[]} lines */
export function toTable(lines) {
  return alignColumns([HEAD, ...toRows(lines)])
}

/** Pads cells to columns, the first one on the left and the others on the right. @param {readonly (readonly string[])[]} rows */
export function alignColumns(rows) {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const pad = (/** @type {string} */ cell, /** @type {number} */ at) =>
    at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)
  return rows.map((row) => row.map(pad).join("  ").trimEnd()).join("\n")
}

/** Formats the same table for BENCHMARKS.md. @param {readonly Line[]} lines */
export function toMarkdown(lines) {
  const rows = [HEAD, HEAD.map((_, at) => (at === 0 ? "---" : "---:")), ...toRows(lines)]
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n")
}

/** @param {boolean | undefined} met */
function verdict(met) {
  if (met === undefined) return ""
  return met ? "met" : "missed"
}
