import { expect, test } from "vitest"
import { uuidV7 } from "../../src/kit/uuid.ts"

test("an id is a UUID of version 7, whose first 48 bits are the time", () => {
  for (const now of [0, 1, 1_763_738_203_029, 2 ** 48 - 1]) {
    const id = uuidV7(now)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toBe(now)
  }
})

test("ids of the same time differ, and each digit after the time takes each of its values", () => {
  const ids = Array.from({ length: 20_000 }, () => uuidV7(0))
  expect(new Set(ids).size).toBe(ids.length)
  const digitsAt = (place: number) => new Set(ids.map((id) => id[place])).size
  expect([15, 16, 17, 19, 20, 21, 22, 24, 30, 35].map(digitsAt)).toEqual([16, 16, 16, 4, 16, 16, 16, 16, 16, 16])
})
