import { readdirSync, readFileSync } from "node:fs"
import { CASES, type Case } from "./cases.ts"

export interface Row extends Case {
  readonly state: "holds" | "fails" | "does not apply" | "untested"
  /** The files that name the case, relative to the root of the repository. */
  readonly places: readonly string[]
}

const ROOT = new URL("../../", import.meta.url)
const FOLDERS = ["test", "bench", ".github"]
/** Files that mention cases without testing them. */
const NOT_TESTS = /^test\/matrix\/(?:cases|table|main|faults|ledger-faults|money-faults|matrix\.test)\.ts$/

/** Returns the whole matrix: each case with the tests that name it. */
export function readMatrix(): Row[] {
  const places = findPlaces()
  return CASES.map((each) => {
    const found = places.get(each.id) ?? []
    return { ...each, places: found, state: toState(each, found) }
  })
}

function toState(each: Case, places: readonly string[]): Row["state"] {
  if (each.notApplicable !== undefined) return "does not apply"
  if (each.fails !== undefined) return "fails"
  return places.length > 0 ? "holds" : "untested"
}

/** Returns the files that name each case, including names that are not in the matrix. */
export function findPlaces(): Map<string, string[]> {
  const places = new Map<string, string[]>()
  for (const folder of FOLDERS) {
    for (const name of readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: "utf8" })) {
      const path = `${folder}/${name.replaceAll("\\", "/")}`
      if (!/\.(?:ts|mjs|yml)$/.test(path) || NOT_TESTS.test(path)) continue
      for (const [, id] of readFileSync(new URL(path, ROOT), "utf8").matchAll(/\[([A-Z0-9]{3}-\d\d)\]/g)) {
        const found = places.get(id!) ?? []
        if (!found.includes(path)) places.set(id!, [...found, path])
      }
    }
  }
  return places
}
