import { CommandError } from "../core/errors.ts"
import { createJsonPaths, type JsonPaths, parseJsonPath } from "../kit/json/paths.ts"
import { scanJson } from "../kit/json/scan.ts"
import { isLines } from "./text.ts"

const REDACTED = "[redacted]"

/** The parsed rules of `logging.redact`. */
export interface Rules {
  /** Lower-case names. */
  readonly headers: ReadonlySet<string>
  /** undefined: no body is looked into. */
  readonly paths: JsonPaths | undefined
}

/**
 * Reads `logging.redact`: JSON paths (`$.messages[*].content`, `$..api_key`) for both bodies, `header:NAME` for the
 * headers of both.
 *
 * @throws CommandError that names the rule and what was expected
 */
export function parseRules(rules: readonly string[]): Rules {
  try {
    return toRules(rules)
  } catch (error) {
    throw new CommandError(`logging.redact: ${(error as Error).message}`)
  }
}

function toRules(rules: readonly string[]): Rules {
  const headers = new Set<string>()
  const paths: ReturnType<typeof parseJsonPath>[] = []
  for (const rule of rules) {
    const header = /^header:\s*([!#$%&'*+.^_`|~\w-]+)\s*$/i.exec(rule)?.[1]
    if (header !== undefined) headers.add(header.toLowerCase())
    else if (rule.startsWith("$")) paths.push(parseJsonPath(rule))
    else throw new Error(`expected a JSON path like $.messages[*].content or header:NAME, got ${JSON.stringify(rule)}`)
  }
  return { headers, paths: paths.length === 0 ? undefined : createJsonPaths(paths) }
}

export function redactHeaders(
  headers: Readonly<Record<string, string>>,
  rules: Rules,
): Readonly<Record<string, string>> {
  if (rules.headers.size === 0) return headers
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, rules.headers.has(name.toLowerCase()) ? REDACTED : value]),
  )
}

/**
 * Returns the body with the values that the rules name replaced, and everything else byte for byte. In a stream, this
 * is done for each line that holds JSON. A body that is not JSON is replaced as a whole, because it may hold a value.
 */
export function redact(bytes: Buffer, contentType: string | undefined, { paths }: Rules): Buffer {
  if (paths === undefined || bytes.length === 0) return bytes
  if (isLines(contentType)) return redactLines(bytes, paths)
  return redactJson(bytes, paths) ?? Buffer.from(`[redacted: ${bytes.length} bytes that are not JSON]`)
}

const QUOTED = Buffer.from(JSON.stringify(REDACTED))

function redactJson(bytes: Buffer, paths: JsonPaths): Buffer | undefined {
  const spans = scanJson(bytes, paths)
  if (spans === undefined || spans.length === 0) return spans && bytes
  const pieces: Buffer[] = []
  let from = 0
  for (const { start, end } of spans) {
    pieces.push(bytes.subarray(from, start), QUOTED)
    from = end
  }
  pieces.push(bytes.subarray(from))
  return Buffer.concat(pieces)
}

/** Lines that cannot hold anything but names and marks of a stream. */
const HARMLESS = /^(?:|event:[ \w.-]{0,100}|data: ?\[DONE\]|[[\],]|\x1e)\r?$/

function redactLines(bytes: Buffer, paths: JsonPaths): Buffer {
  const lines = bytes.toString("latin1").split("\n")
  const redacted = lines.map((line) => {
    if (HARMLESS.test(line)) return line
    const lead = /^(?:data:|\x1e)? ?/.exec(line)![0]
    const json = redactJson(Buffer.from(line.slice(lead.length), "latin1"), paths)
    return lead + (json?.toString("latin1") ?? REDACTED)
  })
  return Buffer.from(redacted.join("\n"), "latin1")
}
