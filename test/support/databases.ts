import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openDatabase, type StorageOptions } from "../../src/database/open.ts"
import { copyTemplate } from "./embedded-template.ts"
import { createTestDatabase } from "./postgres.ts"

/** The default settings, for tests to spread. */
export const NO_POSTGRES: StorageOptions["postgres"] = {
  host: undefined,
  port: undefined,
  user: undefined,
  password: undefined,
  database: undefined,
  sslmode: undefined,
  maxConns: undefined,
  schema: undefined,
  url: undefined,
  isSet: false,
}

export function postgresAt(url: string, more: Partial<StorageOptions["postgres"]> = {}): StorageOptions {
  return { driver: "postgres", dataDir: tmpdir(), postgres: { ...NO_POSTGRES, isSet: true, url, ...more } }
}

export type OpenTestDatabase = (options?: { readonly empty?: boolean }) => Promise<Database>

/**
 * Runs the same tests on a real PostgreSQL and on the embedded engine. `open` returns a new database with the schema applied,
 * unless `empty`. It is closed when the tests of the file end.
 */
export function describeDatabases(name: string, tests: (open: OpenTestDatabase, kind: Database["kind"]) => void): void {
  describe.each(["postgres", "embedded"] as const)(`${name} (%s)`, (kind) => {
    const closers: (() => Promise<unknown>)[] = []
    afterAll(async () => {
      for (const close of closers.reverse()) await close()
    })
    const open: OpenTestDatabase = async ({ empty = false } = {}) => {
      const database = await openDatabase(await place(kind, empty, closers), { role: "serve", log: () => {} })
      closers.push(() => database.close())
      return database
    }
    tests(open, kind)
  })
}

async function place(
  kind: Database["kind"],
  empty: boolean,
  closers: (() => Promise<unknown>)[],
): Promise<StorageOptions> {
  if (kind === "postgres") return postgresAt((await createTestDatabase({ empty })).url)
  const dataDir = mkdtempSync(join(tmpdir(), "mdm-data-"))
  closers.push(async () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  if (!empty) copyTemplate(dataDir)
  return { driver: "embedded", dataDir, postgres: NO_POSTGRES }
}
