import { randomUUID } from "node:crypto"
import { describe, expect, test } from "vitest"
import { IdMap } from "../../src/kit/id-map.ts"
import { createRandom } from "../providers/_random.ts"

describe("values by their ids", () => {
  test("are found as in a Map, however many there are and in whatever order they are taken", () => {
    const random = createRandom(7)
    const plain = new Map<string, number>()
    const map = new IdMap<number>()
    for (let step = 0; step < 6_000; step++) {
      // First there are thousands, and then less and less.
      const isAdded = random.below(6_000) > step
      if (isAdded) {
        const id = randomUUID()
        plain.set(id, step)
        map.add(id, step)
      } else {
        const id = random.below(10) === 0 ? randomUUID() : (plain.keys().next().value ?? "")
        expect(map.take(id)).toBe(plain.get(id))
        expect(map.take(id)).toBeUndefined()
        plain.delete(id)
      }
      if (step % 199 === 0) expect(map.keys().toSorted()).toEqual([...plain.keys()].toSorted())
      expect(map.size).toBe(plain.size)
    }
  })

  test("are found although all ids have the same end, and after others between them are gone", () => {
    const map = new IdMap<number>()
    const ids = Array.from({ length: 100 }, (_, i) => `${i} the same end`)
    for (const [i, id] of ids.entries()) map.add(id, i)
    for (const id of ids.filter((_, i) => i % 3 === 0)) map.take(id)
    expect(ids.map((id) => map.take(id))).toEqual(ids.map((_, i) => (i % 3 === 0 ? undefined : i)))
    expect([map.size, map.keys()]).toEqual([0, []])
  })
})
