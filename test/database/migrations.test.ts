import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { toCountingFunctions } from "../../build/schema/functions.ts"
import { makeSchema, SECTION_END, SECTION_START, toFunctionsSection } from "../../build/schema/index.ts"
import { readMigrations } from "../../build/schema/migrations.ts"
import { toRollupTables } from "../../build/schema/tables.ts"
import { COUNTERS, ROLLUP_TABLES } from "../../src/database/counters.ts"
import { toSchemaScript } from "../../src/database/schema-script.ts"
import { MEASURE_NAMES } from "../../src/reports/sources.ts"

const root = new URL("../../", import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), "utf8")
const migrations = readMigrations("migrations")

/** Databases out there have run these texts. A change of the schema is a new migration, never a change of an old one. */
const FROZEN: Readonly<Record<string, string>> = {
  "0001_foundation.sql": "cfa10eea3e39d740",
  "0002_dialect.sql": "2a7a5982d7aaa4ff",
  "0003_prices.sql": "4ceb0d4b9a24b16f",
  "0004_jobs.sql": "8ab49f2a08022c83",
  "0005_gateways.sql": "1ad568d5edb84283",
  "0006_verified.sql": "48af23624e9ec3c8",
  "0007_order.sql": "7944a9ac85b25efc",
  "0008_numbers.sql": "0d82b79986c2cbfd",
  "0009_shutdown.sql": "abf801fb32aa1ae4",
  "0010_memory.sql": "44748ed731ae4979",
  "0011_pruned_repricings.sql": "31f67fc2bd0b16b9",
  "0012_access.sql": "53ce8c1c591bb60b",
  "0013_latency.sql": "76311b2deb1139bf",
  "0014_unusual.sql": "54a7cd90f006bc12",
  "0015_vault.sql": "17282f9bff216634",
  "0016_billing.sql": "20188706fa521bf0",
  "0017_attribution.sql": "a6d62f14da77cd12",
  "0018_price_overrides.sql": "7120fe6ec7b74ea3",
  "0019_reports.sql": "baccd7c519c37df8",
  "0020_limits.sql": "bcf903e9df7ec6c7",
  "0021_key_policy.sql": "03fe19f441d4970d",
  "0022_reconciliations.sql": "f378e5d4eca401c4",
  "0023_runs.sql": "edf46e3eb595b910",
  "0024_websockets.sql": "fba0bac70efb97e9",
  "0025_notifications.sql": "a2531f95a67fd38d",
  "0026_telemetry.sql": "b49fa2a0ff739f46",
  "0027_partitions.sql": "d4cdfe01bbbff632",
  "0028_cards.sql": "07333ad398d92e6b",
  "0029_key_index.sql": "e7dd30d98011ab58",
  "0030_archive.sql": "4bd6993af67eeeca",
  "0031_imports.sql": "a2936e4cba464b7d",
  "0032_names.sql": "5c69a4b1899a8a54",
  "before/go-rows.sql": "73d07c25073c9eae",
  "before/go.sql": "04a93fe13830d578",
  "before/rollups.sql": "604f7b773f2085c8",
  "before/unversioned.sql": "980c5e5e584e66de",
}

describe("migrations/", () => {
  test("files that were released are never changed", () => {
    const digests = Object.keys(FROZEN).map((file) => {
      const digest = createHash("sha256")
        .update(read(`migrations/${file}`))
        .digest("hex")
      return [file, digest.slice(0, 16)]
    })
    expect(Object.fromEntries(digests)).toEqual(FROZEN)
  })

  test("every file is read: as a version or as a step before the first version", () => {
    const files = readdirSync(new URL("migrations", root), { recursive: true, encoding: "utf8" })
    const known = migrations.map(({ version, name }) => `${String(version).padStart(4, "0")}_${name}.sql`)
    const before = ["before/go-rows.sql", "before/go.sql", "before/rollups.sql", "before/unversioned.sql"]
    expect(files.filter((file) => file.endsWith(".sql")).sort()).toEqual([...known, ...before].sort())
  })

  test("schema.sql is what `npm run schema` makes of them", () => {
    expect(read("schema.sql"), "run npm run schema").toBe(makeSchema())
    expect(toSchemaScript(read("schema.sql")).version).toBe(migrations.at(-1)!.version)
  })

  test("the newest counting functions are what build/schema makes of the list of counters", () => {
    const newest = migrations.findLast(({ text }) => text.includes(SECTION_START))!.text
    const section = newest.slice(newest.indexOf(SECTION_START), newest.indexOf(SECTION_END) + SECTION_END.length + 1)
    expect(section, "the list needs a migration: npm run schema -- NAME").toBe(toFunctionsSection())
  })

  test("the rollup tables of version 1 are those of the list of counters", () => {
    expect(migrations[0]!.text).toContain(toRollupTables())
    for (const { name } of ROLLUP_TABLES) expect(toCountingFunctions()).toContain(`INTO ${name} `)
  })

  test("a later counter is a column of each rollup table, from its migration on", () => {
    for (const { name, type, addedIn = 0 } of COUNTERS.filter((counter) => counter.addedIn !== undefined)) {
      for (const table of ROLLUP_TABLES)
        expect(migrations[addedIn - 1]!.text).toContain(
          `ALTER TABLE ${table.name} ADD COLUMN ${name} ${type} NOT NULL DEFAULT 0;`,
        )
    }
  })

  test("a new database is made by plain statements: nothing is assembled or executed from text", () => {
    // 0027 names partitions by their month, and moves what others attached to the table. 0032 adds indexes to partitions.
    for (const { text } of migrations.filter(({ version }) => version !== 27 && version !== 32)) {
      expect(text).not.toMatch(/\bEXECUTE\s+(?!FUNCTION\b)/)
      // This function makes no statement: it fills gaps in a JSON text.
      const statements = text.replace(/^CREATE FUNCTION majordomo_fill\([\s\S]*?^END \$\$;/m, "")
      expect(statements).not.toMatch(/\b(?:format|replace)\(/)
    }
  })

  test("every measure of reports has a counter", () => {
    const names = COUNTERS.map(({ name }) => name)
    expect(MEASURE_NAMES.filter((name) => !names.includes(name))).toEqual([])
  })
})

describe("a directory of migrations is rejected", () => {
  const directory = mkdtempSync(join(tmpdir(), "mdm-migrations-"))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test.each([
    ["with a gap", "0002_b.sql", "-- 0002 b\n-- breaking: no\n", "expected the version 1"],
    ["without a breaking flag", "0001_a.sql", "-- 0001 a\nSELECT 1", "expected the header"],
    ["with another name in the header", "0001_a.sql", "-- 0001 b\n-- breaking: no\n", "expected the header"],
    ["with another kind of name", "1_a.sql", "", "expected a name like"],
  ])("%s", (_, file, text, message) => {
    const path = join(directory, file)
    writeFileSync(path, text)
    try {
      expect(() => readMigrations(directory)).toThrow(message)
    } finally {
      rmSync(path)
    }
  })
})
