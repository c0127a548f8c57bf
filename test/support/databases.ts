import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeEach, describe } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openDatabase, type StorageOptions } from "../../src/database/open.ts"
import { createEmbeddedPool } from "./embedded-pool.ts"
import { copyTemplate } from "./embedded-template.ts"
import { createTestDatabase } from "./postgres.ts"
import { isThorough } from "./thorough.ts"

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

type Kind = Database["kind"]

const BOTH: readonly Kind[] = ["postgres", "embedded"]

/**
 * Runs the same tests on a real PostgreSQL and on the embedded engine. `open` returns a new database with the schema applied,
 * unless `empty`. A test may use it until the next test begins. What is opened outside of a test is for all tests of the file.
 * Call it at the top level of the file.
 */
export function describeDatabases(name: string, tests: (open: OpenTestDatabase, kind: Kind) => void): void {
  describeEach(BOTH, name, tests)
}

/**
 * Does the same for rules of plain SQL, which both engines keep if one does: without THOROUGH=1, their tests run on PostgreSQL
 * alone, because the embedded engine takes three times as long.
 */
export function describePostgresFirst(name: string, tests: (open: OpenTestDatabase, kind: Kind) => void): void {
  describeEach(isThorough ? BOTH : ["postgres"], name, tests)
}

function describeEach(kinds: readonly Kind[], name: string, tests: (open: OpenTestDatabase, kind: Kind) => void): void {
  returnAtEndOfFile()
  describe.each(kinds)(`${name} (%s)`, (kind) => {
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

/** Its engines go on for the next file of this process. */
const pool = createEmbeddedPool()
/** Whether the file whose tests are collected now gives back what it is lent. */
let isReturned = false

function returnAtEndOfFile(): void {
  if (isReturned) return
  isReturned = true
  afterAll(async () => {
    isReturned = false
    await pool.endFile()
  })
}

/** Returns the settings of an embedded database without the schema. */
function place(closers: (() => Promise<unknown>)[]): StorageOptions {
  const dataDir = mkdtempSync(join(tmpdir(), "mdm-data-"))
  closers.push(async () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  copyTemplate(dataDir, { empty: true })
  return { driver: "embedded", dataDir, postgres: NO_POSTGRES }
}
