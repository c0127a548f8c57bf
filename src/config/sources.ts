/** A setting's value with the place where it was set. */
export interface SourcedValue {
  readonly path: string
  readonly value: unknown
  /** The name of the file, the variable or the flag. */
  readonly source: string
  /** The directory at which relative paths in the value start. */
  readonly dir: string
}

/** Collects problems and warnings, so that all of them can be shown at once. */
export interface Notes {
  readonly problems: string[]
  readonly warnings: string[]
}

/** Formats a problem: `server.port (majordomo.yaml): expected …`. */
export function toProblemLine(path: string, source: string, why: string): string {
  // Without the space after a colon, YAML reads a URL as part of the setting's name. The URL may contain a password.
  return `${path.replace(/[\x00-\x1f\x7f-\x9f]/g, "?").replace(/[:/].*@/gs, "…@")} (${source}): ${why}`
}

/**
 * Matches text that may contain other settings. A mistake such as a missing quote or a missing space after a colon
 * makes the settings that follow part of one text, and they may be secrets.
 */
const CONTAINS_SETTINGS = /[{}[\]\x00-\x1f]|:\s|:$|[\s,;]\S*[:=]|(?:pass|pwd|secret|key|token|credential)\w*\W*[:=]/i

/**
 * Formats a value for a message: short, on one line, without secrets. Only names the type of what may contain secrets.
 */
export function showValue(value: unknown): string {
  if (value === "" || value === undefined || value === null) return "nothing"
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object") return "a section"
  if (typeof value === "string" && CONTAINS_SETTINGS.test(value))
    return "text that may contain other settings (not shown)"
  const shown = (JSON.stringify(value) ?? String(value))
    .replace(/\/\/.*@/g, "//…@")
    .replace(/^"[^\s"/]*:[^"/]*@/, '"…@')
    .replace(/\?[^\s"]*/g, "?…")
    .replace(/[\x7f-\x9f]/g, "?")
  return shown.length > 80 ? `${shown.slice(0, 77)}…` : shown
}
