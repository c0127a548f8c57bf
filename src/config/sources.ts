/** One value that somebody set. */
export interface SourcedValue {
  readonly path: string
  readonly value: unknown
  /** The file's name, the variable or the flag. */
  readonly source: string
  /** Where relative paths in it start. */
  readonly dir: string
}

/** Collects what is wrong, so that all of it can be said at once. */
export interface Notes {
  readonly problems: string[]
  readonly warnings: string[]
}

/** A line of a refusal: `server.port (majordomo.yaml): expected …`. */
export function toProblemLine(path: string, source: string, why: string): string {
  // An address behind a colon without its space, whole or what a slip left of it, is part of the name to YAML.
  return `${path.replace(/[\x00-\x1f\x7f-\x9f]/g, "?").replace(/[:/].*@/gs, "…@")} (${source}): ${why}`
}

/** A slip (an unended text, no space behind a colon) makes one text of the settings behind it: those may be secrets. */
const HOLDS_SETTINGS = /[{}[\]\x00-\x1f]|:\s|:$|[\s,;]\S*[:=]|(?:pass|pwd|secret|key|token|credential)\w*\W*[:=]/i

/** A value as a message may show it: short, one line, without secrets. What can hold other settings is only named. */
export function showValue(value: unknown): string {
  if (value === "" || value === undefined || value === null) return "nothing"
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object") return "a section"
  if (typeof value === "string" && HOLDS_SETTINGS.test(value)) return "a text that may hold other settings (not shown)"
  const shown = (JSON.stringify(value) ?? String(value))
    .replace(/\/\/.*@/g, "//…@")
    .replace(/^"[^\s"/]*:[^"/]*@/, '"…@')
    .replace(/\?[^\s"]*/g, "?…")
    .replace(/[\x7f-\x9f]/g, "?")
  return shown.length > 80 ? `${shown.slice(0, 77)}…` : shown
}
