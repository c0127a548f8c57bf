const STEP = "  "
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g

/**
 * Valid JSON, over several lines for a person to read. Its tokens stay as they are: no number is rounded, no member
 * that is there twice is dropped.
 */
export function indentJson(text: string): string {
  const pieces: string[] = []
  let depth = 0
  let before = ""
  const line = () => pieces.push("\n", STEP.repeat(Math.min(depth, 100)))
  for (const [token] of text.matchAll(TOKEN)) {
    const closes = token === "}" || token === "]"
    if (closes) depth--
    if (before === "{" || before === "[" ? !closes : closes) line()
    pieces.push(token)
    if (token === "{" || token === "[") depth++
    else if (token === ",") line()
    else if (token === ":") pieces.push(" ")
    before = token
  }
  return pieces.join("")
}
