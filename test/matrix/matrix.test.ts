import { existsSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { CASES } from "./cases.ts"
import { FAULT_ROWS, FAULTS, hasTest } from "./faults.ts"
import { findPlaces, readMatrix } from "./table.ts"

const LIST = new URL("../../../shared/reliability.json", import.meta.url)

test("every P0 case has a test or a reason why it does not apply, and none is known to fail", () => {
  const open = readMatrix().filter(
    ({ priority, state }) => priority === "P0" && (state === "fails" || state === "untested"),
  )
  expect(open.map(({ id, rule }) => `${id} ${rule}`)).toEqual([])
})

test("every P1 case has a test or a reason why not", () => {
  const open = readMatrix().filter(({ priority, state }) => priority === "P1" && state === "untested")
  expect(open.map(({ id, rule }) => `${id} ${rule}`)).toEqual([])
})

test("a case is in the matrix once, and every name in a test is a case", () => {
  const ids = CASES.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect([...findPlaces().keys()].filter((id) => !ids.includes(id))).toEqual([])
})

test("every rule that a fault broke has a test, which exists in the file that the matrix names", () => {
  for (const [id, rules] of Object.entries(FAULTS)) expect([id, Object.keys(rules)]).not.toEqual([id, []])
  expect(FAULT_ROWS.filter(({ tests }) => tests.length === 0)).toEqual([])
  const missing = FAULT_ROWS.flatMap(({ id, tests }) =>
    tests.filter((test) => !hasTest(test)).map((test) => [id, test]),
  )
  expect(missing).toEqual([])
})

test("the faults of a kind are numbered without a gap", () => {
  const numbers = (kind: string) => Object.keys(FAULTS).filter((id) => id.startsWith(kind))
  expect(numbers("L")).toEqual(Array.from({ length: 22 }, (_, index) => `L${index + 1}`))
  expect(numbers("M")).toEqual(Array.from({ length: 18 }, (_, index) => `M${index + 1}`))
  expect(numbers("S")).toEqual(Array.from({ length: 13 }, (_, index) => `S${index + 1}`))
  expect(numbers("O")).toEqual(Array.from({ length: 12 }, (_, index) => `O${index + 1}`))
  expect(numbers("15.")).toEqual(Array.from({ length: 6 }, (_, index) => `15.${index + 1}`))
})

test.skipIf(!existsSync(LIST))("every case of the list is known (skipped if the list is not available)", () => {
  const list = JSON.parse(readFileSync(LIST, "utf8")) as { id: string; priority: string }[]
  // The cases of the bounds were added to those of the list.
  const listed = CASES.filter(({ id }) => !id.startsWith("BND-"))
  expect(listed.map(({ id, priority }) => `${id} ${priority}`).sort()).toEqual(
    list.map(({ id, priority }) => `${id} ${priority}`).sort(),
  )
})
