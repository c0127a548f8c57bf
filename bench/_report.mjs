/** @typedef {{ what: string, bare: string, gateway: string, ratio: string, goal: string, met: boolean | undefined }} Line */

/** A table for people. @param {readonly Line[]} lines */
export function toTable(lines) {
  const rows = [
    ["", "bare", "gateway", "ratio", "goal", ""],
    ...lines.map(({ what, bare, gateway, ratio, goal, met }) => [what, bare, gateway, ratio, goal, verdict(met)]),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}

/** @param {boolean | undefined} met */
function verdict(met) {
  if (met === undefined) return ""
  return met ? "met" : "missed"
}
