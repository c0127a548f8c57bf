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
  const rows = [HEAD, ...toRows(lines)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
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
