import { createHash } from "node:crypto"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { copyTree } from "./copy-tree.ts"

/** The directory in which the sources look for what a build puts into `dist/embedded`. */
export const EMBEDDED_CACHE = "node_modules/.cache/majordomo-gateway/embedded"

export const SCHEMA = readFileSync(new URL("../../schema.sql", import.meta.url), "utf8")

const { version } = JSON.parse(readFileSync("node_modules/@electric-sql/pglite/package.json", "utf8")) as {
  version: string
}
/** A cluster of the embedded database with the schema and without rows. The global setup makes it. */
export const TEMPLATE = join(
  EMBEDDED_CACHE,
  `template-${createHash("sha256").update(version).update(SCHEMA).digest("hex").slice(0, 16)}`,
)

/** The same cluster before it had the schema. */
export const EMPTY_TEMPLATE = `${TEMPLATE}-empty`

/**
 * Puts a database without rows into a data directory that has none, in a tenth of the time of a first start. It has the schema
 * unless `empty`.
 */
export function copyTemplate(dataDir: string, { empty = false } = {}): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  copyTree(empty ? EMPTY_TEMPLATE : TEMPLATE, join(dataDir, "postgres"))
}
