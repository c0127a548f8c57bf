/** One value that somebody set. */
export interface Given {
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
export function toProblem(path: string, source: string, why: string): string {
  // An address behind a colon without its space, whole or what a slip left of it, is part of the name to YAML.
  return `${path.replace(/[\x00-\x1f\x7f-\x9f]/g, "?").replace(/[:/].*@/gs, "…@")} (${source}): ${why}`
}

const SWALLOWED_SECRET = /((?:pass|secret|key|token|credential|url)\w*)\W*:.*/is

/** A value as a message may show it: short, one line, without the credentials that an address may hold. */
export function showValue(value: unknown): string {
  if (value === "" || value === undefined || value === null) return "nothing"
  const shown = JSON.stringify(value, withoutSecrets) ?? String(value)
  // A text that a slip never ended has swallowed the settings behind it.
  const own = typeof value === "string" ? shown.replace(SWALLOWED_SECRET, "$1…") : shown
  const harmless = own.replace(/\/\/[^\s"]*@/g, "//…@").replace(/\?[^\s"]*/g, "?…")
  const oneLine = harmless.replace(/[\x7f-\x9f]/g, "?")
  return oneLine.length > 80 ? `${oneLine.slice(0, 77)}…` : oneLine
}

/** A section in the wrong place is shown as a value: what its names call a secret is not. */
function withoutSecrets(name: string, value: unknown): unknown {
  return /pass|secret|key|token|credential|url/i.test(name) && typeof value !== "object" ? "…" : value
}
