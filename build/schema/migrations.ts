import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

export interface Migration {
  /** From 1, without gaps. */
  readonly version: number
  readonly name: string
  /** Programs that do not know the version must not use the database. */
  readonly isBreaking: boolean
  readonly text: string
}

/** Reads `NNNN_name.sql` files in the order of their versions. Throws if a version is missing or a header is wrong. */
export function readMigrations(...directories: readonly string[]): Migration[] {
  const migrations = directories
    .flatMap((directory) =>
      readdirSync(directory)
        .filter((file) => file.endsWith(".sql"))
        .map((file) => parseMigration(file, readFileSync(join(directory, file), "utf8"))),
    )
    .sort((one, other) => one.version - other.version)
  for (const [at, { version, name }] of migrations.entries()) {
    if (version !== at + 1) throw new Error(`migration ${toLabel(version, name)}: expected the version ${at + 1}`)
  }
  return migrations
}

/** `0002_dialect`. */
export function toLabel(version: number, name: string, separator = "_"): string {
  return `${String(version).padStart(4, "0")}${separator}${name}`
}

function parseMigration(file: string, text: string): Migration {
  const [, digits = "", name = ""] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? []
  if (digits === "") throw new Error(`migration ${file}: expected a name like 0002_dialect.sql`)
  const version = Number(digits)
  const [, breaking] = /^-- .*\n-- breaking: (yes|no)\n/.exec(text) ?? []
  if (breaking === undefined || !text.startsWith(`-- ${toLabel(version, name, " ")}\n`)) {
    throw new Error(
      `migration ${file}: expected the header "-- ${toLabel(version, name, " ")}" and "-- breaking: yes|no"`,
    )
  }
  return { version, name, isBreaking: breaking === "yes", text }
}
