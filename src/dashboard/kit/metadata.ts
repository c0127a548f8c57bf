type Values = Readonly<Record<string, string>>

/** Formats values by name as a person writes them in one line: `Team=search, Feature=chat`. */
export function formatValues(values: Values): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ")
}

/** Parses such a line. A value can have commas that no `NAME=` follows. @throws Error for a part without a name */
export function parseValues(text: string): Values {
  const parts = text.split(/,\s*(?=[^\s,=]+=)/).filter((part) => part.trim() !== "")
  return Object.fromEntries(
    parts.map((part) => {
      const at = part.indexOf("=")
      if (at < 1) throw new Error(`Write metadata as NAME=VALUE, separated by commas. This part has no name: ${part}`)
      return [part.slice(0, at).trim(), part.slice(at + 1).trim()]
    }),
  )
}

/** Parses names that are separated by commas. */
export function parseNames(text: string): readonly string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")
}
