const INDENT = "  "
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g

/**
 * Lays out valid JSON over several lines, for a person to read. Its tokens stay as they are: no number is rounded, and
 * no duplicate member is dropped.
 */
export function indentJson(text: string): string {
  const pieces: string[] = []
  let depth = 0
  let previous = ""
  const addLine = () => pieces.push("\n", INDENT.repeat(Math.min(depth, 100)))
  for (const [token] of text.matchAll(TOKEN)) {
    const closes = token === "}" || token === "]"
    if (closes) depth--
    if (previous === "{" || previous === "[" ? !closes : closes) addLine()
    pieces.push(token)
    if (token === "{" || token === "[") depth++
    else if (token === ",") addLine()
    else if (token === ":") pieces.push(" ")
    previous = token
  }
  return pieces.join("")
}
