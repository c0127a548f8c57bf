import { describe, expect, test } from "vitest"
import { findCycles, findDeadExports, findLongFunctions, MAX_FUNCTION_LINES } from "./source-rules.ts"

describe("the rules find", () => {
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `  step(${index})`).join("\n")

  test("a function, a method and a closure that are too long, and count nested functions as a part of them", () => {
    const text = [
      `export function long() {\n${lines(MAX_FUNCTION_LINES)}\n}`,
      `class A {\n  method() {\n${lines(MAX_FUNCTION_LINES)}\n  }\n}`,
      `const outer = () => {\n  const inner = () => {\n${lines(MAX_FUNCTION_LINES - 3)}\n  }\n  inner()\n}`,
      `function short() {\n${lines(MAX_FUNCTION_LINES - 2)}\n}`,
    ].join("\n")
    const found = findLongFunctions({ path: "kit/a.ts", text })
    expect(found).toEqual([
      `kit/a.ts:1: long has ${MAX_FUNCTION_LINES + 2} lines`,
      expect.stringContaining("method has"),
      expect.stringContaining("outer has"),
    ])
  })

  test("a cycle of two files, one of types, one over a third file, and a file that imports itself", () => {
    const cycles = findCycles([
      { path: "a.ts", text: 'import { b } from "./b.ts"' },
      { path: "b.ts", text: 'import type { C } from "./kit/c.ts"' },
      { path: "kit/c.ts", text: 'export { a } from "../a.ts"' },
      { path: "d.ts", text: 'const d = await import("./d.ts")' },
      { path: "e.ts", text: 'import { a } from "./a.ts"' },
    ])
    expect(cycles).toEqual([["a.ts", "b.ts", "kit/c.ts"], ["d.ts"]])
  })

  test("an export that nobody imports; a namespace, a dynamic import and a worker's address import all", () => {
    const dead = findDeadExports(
      [
        {
          path: "a.ts",
          text: "export const used = 1\nexport const dead = 2\nexport type T = 1\nexport interface U {}",
        },
        { path: "b.ts", text: 'import { used, type U } from "./a.ts"\nexport function run() {}' },
        { path: "c.ts", text: 'import * as b from "./b.ts"\nconst d = new URL("./d.ts", import.meta.url)' },
        { path: "d.ts", text: "export class D {}" },
      ],
      [{ path: "../test/a.test.ts", text: 'import type { T } from "../src/a.ts"' }],
    )
    expect(dead).toEqual(["a.ts: dead"])
  })
})
