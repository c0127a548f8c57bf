import { expect, it } from "vitest"
import { createBatchQueue } from "../../src/kit/batch-queue.ts"
import { aLine, range, takeAll } from "./log/_journal.ts"

it("returns lines in their order, in batches of about the requested size, each again until it is acknowledged", async () => {
  const queue = createBatchQueue({ maxBytes: 100_000 })
  for (const id of range(100)) expect(queue.append(aLine(id))).toBe("kept")
  const first = (await queue.read(200))!
  expect(first.lines).toBeGreaterThan(1)
  expect(first.array!.length).toBeLessThan(250)
  expect((await queue.read(200))!.array!.equals(first.array!)).toBe(true)
  expect(queue.waitingLines).toBe(100)
  queue.ack(first)
  queue.append(aLine("late"))
  expect((await takeAll(queue, 200)).ids).toEqual([...range(100).slice(first.lines), "late"])
  expect([queue.waitingLines, queue.waitingBytes, await queue.read(200)]).toEqual([0, 0, undefined])
})

it("rejects a line over its limit, and accepts it when there is space again", async () => {
  const queue = createBatchQueue({ maxBytes: 100 })
  expect(queue.append(aLine("a", "x".repeat(60)))).toBe("kept")
  expect(queue.append(aLine("b", "x".repeat(60)))).toBe("full")
  expect((await takeAll(queue)).ids).toEqual(["a"])
  expect(queue.append(aLine("b", "x".repeat(60)))).toBe("kept")
})

it("returns a line that is longer than a batch in a batch of its own", async () => {
  const queue = createBatchQueue({ maxBytes: 10_000 })
  for (const id of ["a", "b"]) queue.append(aLine(id, "ü".repeat(500)))
  expect((await queue.read(10))!.lines).toBe(1)
  expect((await takeAll(queue, 10)).ids).toEqual(["a", "b"])
})
