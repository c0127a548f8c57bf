import { readdirSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"

const root = new URL("../../src/", import.meta.url)

test("a process without telemetry loads none of its code: other rooms import it as types, or when it is first used", () => {
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
  const loaded = files
    .filter((file) => !file.startsWith("telemetry/"))
    .flatMap((file) => {
      const text = readFileSync(new URL(file, root), "utf8")
      const statements = text.match(/^(?:import|export)\b[^;]*?from ".*"$/gm) ?? []
      return statements
        .filter((line) => /from "(?:\.\.\/)+telemetry\//.test(line) && !/^import type\b/.test(line))
        .map((line) => `${file}: ${line}`)
    })
  expect(loaded).toEqual([])
})
