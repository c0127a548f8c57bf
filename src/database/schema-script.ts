import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The text of a schema.sql, and the version to which it brings a database. */
export interface SchemaScript {
  readonly text: string
  readonly version: number
}

/** Reads schema.sql at the root of this package; works from the sources and from any file of the built package. */
export function readSchemaScript(): SchemaScript {
  let directory = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const path = join(directory, "schema.sql")
    if (existsSync(path) && existsSync(join(directory, "package.json")))
      return toSchemaScript(readFileSync(path, "utf8"))
    const parent = dirname(directory)
    if (parent === directory) {
      throw new Error("schema.sql is missing from this installation: install the package again")
    }
    directory = parent
  }
}

/** The version stands in the head of the text, which the build of schema.sql writes. */
export function toSchemaScript(text: string): SchemaScript {
  const [, version] = /^-- Schema version: (\d+)$/m.exec(text) ?? []
  if (version === undefined) throw new Error("schema.sql does not say its version: install the package again")
  return { text, version: Number(version) }
}
