import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeEach, describe } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openDatabase, type StorageOptions } from "../../src/database/open.ts"
import { createEmbeddedPool, type EmbeddedPool } from "./embedded-pool.ts"
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
 * unless `empty`. A test may use it until the next test begins. What is opened outside of a test is for all tests of the file.
 * Call it at the top level of the file.
 */
export function describeDatabases(name: string, tests: (open: OpenTestDatabase, kind: Database["kind"]) => void): void {
  const pool = poolOfFile()
  describe.each(["postgres", "embedded"] as const)(`${name} (%s)`, (kind) => {
    const closers: (() => Promise<unknown>)[] = []
    beforeEach(() => pool.beginTest())
    afterEach(() => pool.endTest())
    afterAll(async () => {
      for (const close of closers.reverse()) await close()
    })
    const open: OpenTestDatabase = async ({ empty = false } = {}) => {
      if (kind === "embedded" && !empty) return pool.lend()
      const storage = kind === "postgres" ? postgresAt((await createTestDatabase({ empty })).url) : place(closers)
      const database = await openDatabase(storage, { role: "serve", log: () => {} })
      closers.push(() => database.close())
      return database
    }
    tests(open, kind)
  })
}

let currentPool: EmbeddedPool | undefined

/** Returns the pool of the file whose tests are collected now. It is closed when they end. */
function poolOfFile(): EmbeddedPool {
  if (currentPool !== undefined) return currentPool
  const pool = createEmbeddedPool()
  currentPool = pool
  afterAll(async () => {
    currentPool = undefined
    await pool.close()
  })
  return pool
}

/** Returns the settings of an embedded database without the schema. */
function place(closers: (() => Promise<unknown>)[]): StorageOptions {
  const dataDir = mkdtempSync(join(tmpdir(), "mdm-data-"))
  closers.push(async () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  copyTemplate(dataDir, { empty: true })
  return { driver: "embedded", dataDir, postgres: NO_POSTGRES }
}
