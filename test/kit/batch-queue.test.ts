import { expect, it } from "vitest"
import { createBatchQueue } from "../../src/kit/batch-queue.ts"
import { aLine, range, takeAll } from "./log/_journal.ts"

it("gives lines back in their order, in batches of about the asked size, each until it is acknowledged", async () => {
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

it("refuses what is over its limit, and takes it as soon as there is room", async () => {
  const queue = createBatchQueue({ maxBytes: 100 })
  expect(queue.append(aLine("a", "x".repeat(60)))).toBe("kept")
  expect(queue.append(aLine("b", "x".repeat(60)))).toBe("full")
  expect((await takeAll(queue)).ids).toEqual(["a"])
  expect(queue.append(aLine("b", "x".repeat(60)))).toBe("kept")
})

it("gives a line that is longer than a batch alone", async () => {
  const queue = createBatchQueue({ maxBytes: 10_000 })
  for (const id of ["a", "b"]) queue.append(aLine(id, "ü".repeat(500)))
  expect((await queue.read(10))!.lines).toBe(1)
  expect((await takeAll(queue, 10)).ids).toEqual(["a", "b"])
})
