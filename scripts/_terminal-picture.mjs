/** Sizes in pixels. Every character has the same width, whatever the reader's monospaced font is. */
const CELL = { width: 7.8, height: 19 }
const FONT_SIZE = 13
const PADDING = 18
/** The window has its own dark background, so that the picture reads the same on a light and on a dark page. */
const COLORS = {
  window: "#0d1117",
  border: "#3d444d",
  prompt: "#3fb950",
  command: "#f0f6fc",
  text: "#d1d7e0",
  faint: "#8d96a0",
}
const FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"

/** Returns an SVG of a terminal with a command and its output. */
export function toTerminalPicture(command, output) {
  const lines = [{ text: `$ ${command}`, color: COLORS.command }, ...output.trimEnd().split("\n").map(toLine)]
  const columns = Math.max(...lines.map(({ text }) => text.length))
  const width = Math.ceil(columns * CELL.width + 2 * PADDING)
  const height = Math.ceil(lines.length * CELL.height + 2 * PADDING)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${command}</title>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="${COLORS.window}" stroke="${COLORS.border}"/>`,
    `<g font-family="${FONTS}" font-size="${FONT_SIZE}">`,
    ...lines.map(toText),
    "</g>",
    "</svg>",
    "",
  ].join("\n")
}

/** Rules and explanations are fainter than the numbers. */
function toLine(text) {
  const isFaint = /^-+$|^[>~] |^API value:|^And \d+ more|^\d{4}-/.test(text)
  return { text, color: isFaint ? COLORS.faint : COLORS.text }
}

function toText({ text, color }, index) {
  const y = PADDING + (index + 0.72) * CELL.height
  const length = (text.length * CELL.width).toFixed(1)
  return `<text x="${PADDING}" y="${y.toFixed(1)}" textLength="${length}" fill="${color}">${toXml(text)}</text>`
}

/** Browsers join ordinary spaces, so that columns need spaces that do not break. */
function toXml(text) {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll(" ", "\u00a0")
}
