import { expect, test } from "vitest"
import { KeptBytes } from "../../src/kit/kept-bytes.ts"

test("the newest message is kept, whatever becomes of the bytes that it was copied from", () => {
  const kept = new KeptBytes()
  const piece = Buffer.from("first, a longer second, third")
  kept.keep(piece, 0, 5)
  kept.keep(piece, 7, 22)
  kept.keep(piece, 24, 29)
  piece.fill(0)
  expect(kept.take()?.toString()).toBe("third")
})

test("a message is taken once", () => {
  const kept = new KeptBytes()
  expect(kept.take()).toBeUndefined()
  kept.keep(Buffer.from("x"), 0, 1)
  expect(kept.take()?.toString()).toBe("x")
  expect(kept.take()).toBeUndefined()
})
