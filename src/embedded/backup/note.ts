/** What a backup says about itself, in its first file. */
export interface BackupNote {
  readonly format: 1
  /** The version of the program that made it. */
  readonly program: string
  /** The major version of the PostgreSQL whose files it contains: `18`. */
  readonly postgres: string
  readonly schema_version: number
  /** ISO 8601. */
  readonly created_at: string
  /** The size of all files before compression. */
  readonly bytes: number
}

/** Takes how many of how many bytes are done. */
export type OnProgress = (doneBytes: number, totalBytes: number) => void

/** The first file of a backup. */
export const NOTE = "backup.json"
/** The last file of a backup: the SHA-256 of every other one, as `sha256sum --check` reads it. */
export const SUMS = "SHA256SUMS"

/** Returns the note if the text is one, also of a format that this program does not know. */
export function parseNote(text: string): (Omit<BackupNote, "format"> & { readonly format: number }) | undefined {
  try {
    const note: unknown = JSON.parse(text)
    return isNote(note) ? note : undefined
  } catch {
    return undefined
  }
}

function isNote(value: unknown): value is BackupNote {
  if (typeof value !== "object" || value === null) return false
  const { format, program, postgres, schema_version, created_at, bytes } = value as Record<string, unknown>
  const areTexts = [program, postgres, created_at].every((text) => typeof text === "string")
  return areTexts && [format, schema_version, bytes].every((count) => Number.isSafeInteger(count))
}
