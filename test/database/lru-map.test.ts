import { expect, test } from "vitest"
import { createLruMap } from "../../src/database/lru-map.ts"

function keysOf(map: ReturnType<typeof createLruMap<number>>, keys: string): string {
  return [...keys].filter((key) => map.get(key) !== undefined).join("")
}

test("a full map forgets the entry that was used the longest time ago", () => {
  const map = createLruMap<number>(3)
  for (const key of "abc") map.set(key, 1)
  map.get("a")
  map.get("a")
  map.get("c")
  map.get("c")
  map.set("d", 1)
  expect(keysOf(map, "abcd")).toBe("acd")
  map.set("e", 1)
  map.set("f", 1)
  expect(keysOf(map, "abcdef")).toBe("def")
})

test("the newest entry can be deleted and set again", () => {
  const map = createLruMap<number>(2)
  map.set("a", 1)
  map.set("b", 1)
  map.delete("b")
  expect(map.get("b")).toBeUndefined()
  map.set("b", 2)
  map.get("a")
  map.set("c", 3)
  expect(keysOf(map, "abc")).toBe("ac")
  map.clear()
  expect(keysOf(map, "abc")).toBe("")
})
