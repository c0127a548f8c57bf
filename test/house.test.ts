import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import packageJson from "../package.json" with { type: "json" }
import { DOORS, findPackages, findViolations } from "./support/house.ts"
import { findCycles, findDeadExports, findLongFunctions, MAX_FUNCTION_LINES } from "./support/source-rules.ts"

/** The number of lines above which a file usually has two purposes. */
const LONGEST = 250
/** The longer files, each with the reason why it has one purpose. */
const LONG_FOR_A_REASON: Readonly<Record<string, string>> = {
  "config/settings.ts": "the one table of all settings",
}

/** Their exports are for others: `bin/` calls two of them, and users import the client. */
const PUBLIC_FILES: readonly string[] = ["index.ts", "cli/_statusline-only.ts", "client/index.ts"]

const root = new URL("../", import.meta.url)
const files = readSources("src").filter(({ path }) => /\.tsx?$/.test(path))
/** Code outside `src` that uses its exports. */
const users = ["test", "bench", "build", "scripts"]
  .flatMap((directory) => readSources(directory).map((file) => ({ ...file, path: `../${directory}/${file.path}` })))
  .concat({ path: "../build.config.ts", text: readFileSync(new URL("build.config.ts", root), "utf8") })

describe("the source", () => {
  test("rooms import only downwards, packages enter through their doors, and pure rooms have no side effects", () => {
    expect(files.length).toBeGreaterThan(0)
    expect(files.flatMap(({ path, text }) => findViolations(path, text))).toEqual([])
  })

  test(`a file above ${LONGEST} lines has a reason in LONG_FOR_A_REASON`, () => {
    const long = files.filter(({ text }) => text.split("\n").length > LONGEST + 1).map(({ path }) => path)
    const advice = "find the second noun and give it a file, or name the reason in LONG_FOR_A_REASON"
    expect(
      long.filter((path) => LONG_FOR_A_REASON[path] === undefined),
      advice,
    ).toEqual([])
    expect(
      Object.keys(LONG_FOR_A_REASON).filter((path) => !long.includes(path)),
      "this file is no longer that long: remove its reason",
    ).toEqual([])
  })

  test(`no function spans more than ${MAX_FUNCTION_LINES} lines`, () => {
    expect(files.flatMap(findLongFunctions), "find the second idea in it and give it a name").toEqual([])
  })

  test("a table whose keys are texts has no entries but its own", () => {
    const literal = /^(?:export )?const ([A-Z_]+): (?:Readonly<)?Record<string,[^=]*(?:=>[^=]*)?= \{/gm
    const found = files
      .filter(({ path }) => !/^(?:client|dashboard|kit)\//.test(path))
      .flatMap(({ path, text }) => [...text.matchAll(literal)].map(([, name]) => `${path}: ${name}`))
    expect(found, "make it by createTable: clients send names such as constructor").toEqual([])
  })

  test("no two files import each other, not even for types, and not by way of others", () => {
    expect(findCycles(files), "move what both need to a file of its own").toEqual([])
  })

  test("every export is imported somewhere", () => {
    const dead = findDeadExports(files, users).filter((name) => !PUBLIC_FILES.includes(name.split(":")[0]!))
    expect(dead, "remove the export, or the code").toEqual([])
  })

  test("the package has no dependencies, and the versions it is built from are pinned", () => {
    expect(packageJson).not.toHaveProperty("dependencies")
    expect(packageJson).not.toHaveProperty("optionalDependencies")
    const locked = new Map(Object.entries<string>(packageJson.devDependencies))
    const imported = new Set(files.flatMap(({ path, text }) => findPackages(path, text)))
    const advice = "npm i --save-dev --save-exact: whoever builds the same source bundles the same code"
    for (const name of imported) expect(locked.get(name), `${name}: ${advice}`).toMatch(/^\d+\.\d+\.\d+$/)
    const doors = Object.keys(DOORS).filter((name) => !name.endsWith("/"))
    expect(
      doors.filter((name) => !imported.has(name)),
      "this package is no longer imported: remove its door",
    ).toEqual([])
  })
})

describe("the import rule reports", () => {
  const cases: readonly (readonly [rule: string, path: string, text: string, found: string])[] = [
    ["an import upwards", "core/a.ts", 'import { b } from "../gateway/b.ts"', "core may import nothing of ours"],
    ["a sibling", "pricing/a.ts", 'import type { B } from "../database/b.ts"', "not database"],
    ["a re-export", "kit/a.ts", 'export * from "../core/b.ts"', "kit may import nothing of ours"],
    ["a dynamic import", "gateway/a.ts", 'const b = await import("../database/b.ts")', "not database"],
    ["an import in a type", "config/a.ts", 'type B = import("../cli/b.ts").B', "not cli"],
    ["a package through the wrong door", "gateway/a.ts", 'import pg from "pg"', "pg enters by database only"],
    ["a deep import of a package", "gateway/a.ts", 'import x from "pg/lib/x.js"', "enters by database only"],
    ["a scoped package", "cli/a.ts", 'import { S3 } from "@aws-sdk/client-s3"', "enters by bodies only"],
    ["a package without a door", "kit/a.ts", 'import _ from "lodash"', "lodash has no door"],
    ["a missing extension", "core/a.ts", 'import { b } from "./b"', "write the file's extension"],
    ["a file outside every room", "helpers/a.ts", "", "no such room"],
    ["node in a pure room", "reports/a.ts", 'import { sep } from "node:path"', "reports is pure"],
    ["crypto outside core/key", "core/a.ts", 'import { hash } from "node:crypto"', "core is pure"],
    ["the clock in a pure room", "core/a.ts", "const now = Date.now()", "core is pure"],
    ["the clock by another name", "providers/a.ts", "const now = new Date()", "providers is pure"],
    ["fetch in a pure room", "providers/a.ts", 'fetch("x")', "may not use fetch"],
    ["fetch passed on", "providers/a.ts", "const get = { fetch }", "may not use fetch"],
    ["fetch of globalThis", "providers/a.ts", 'globalThis.fetch("x")', "may not use fetch"],
    ["process in a pure room", "reports/a.ts", "process.hrtime()", "may not use process"],
    ["console outside cli", "server/a.ts", 'console.error("x")', "only cli prints"],
    ["the environment outside config", "server/a.ts", "process.env.HOME", "only config reads the environment"],
    ["the environment by brackets", "kit/a.ts", 'process["env"]', "only config reads the environment"],
    ["stdout outside cli", "server/a.ts", 'process.stdout.write("x")', "only cli prints to stdout"],
    ["an exit outside cli", "database/a.ts", "process.exit(1)", "only cli ends the process"],
    ["an exit code outside cli", "server/a.ts", "process.exitCode = 1", "only cli ends the process"],
  ]
  test.each(cases)("%s", (_rule, path, text, found) => {
    expect(findViolations(path, text).join("\n")).toContain(found)
  })

  const allowed: readonly (readonly [what: string, path: string, text: string])[] = [
    ["a type from a lower room", "gateway/a.ts", 'import type { Call } from "../core/call.ts"'],
    ["a file in the same room", "database/ledger/a.ts", 'import { b } from "../b.ts"'],
    ["crypto in core/key", "core/key.ts", 'import { createHash } from "node:crypto"'],
    ["a property with the name of a global", "core/a.ts", "const a = { process: 1, fetch: 2 }; a.process + a.fetch"],
    ["a date of a given time", "reports/a.ts", "const day = new Date(0)"],
    ["words in comments and texts", "core/a.ts", '// process.env, Date.now()\nconst a = "import x from \\"pg\\""'],
    ["the clock in a room that is not pure", "gateway/a.ts", "Date.now()"],
  ]
  test.each(allowed)("the import rule allows %s", (_what, path, text) => {
    expect(findViolations(path, text)).toEqual([])
  })
})

function readSources(directory: string): { readonly path: string; readonly text: string }[] {
  const base = new URL(`${directory}/`, root)
  return readdirSync(base, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => /\.(tsx?|mjs)$/.test(path))
    .map((path) => ({ path, text: readFileSync(new URL(path, base), "utf8") }))
}
