import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { createSpillDirectory } from "../../src/kit/spill-file.ts"

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "mdm-spill-"))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, "below")
}

async function toBuffer(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

test("what was written can be read, whole or in part, any number of times, and the file has no name", async () => {
  const directory = newDirectory()
  const file = await createSpillDirectory(directory).open()
  const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, i) => i % 251))
  for (let at = 0; at < bytes.length; at += 70_000) {
    await file.write([bytes.subarray(at, at + 30_000), bytes.subarray(at + 30_000, at + 70_000)])
  }
  expect(file.length).toBe(bytes.length)
  expect(readdirSync(directory)).toEqual([])
  expect(file.read(1000)).toEqual(bytes.subarray(0, 1000))
  expect(file.read(1e9).equals(bytes)).toBe(true)
  const ranges = [
    [0, bytes.length],
    [0, 0],
    [299_999, 700_000],
  ] as const
  const read = await Promise.all(ranges.map(([start, end]) => toBuffer(file.pieces(start, end))))
  ranges.forEach(([start, end], i) => void expect(read[i]!.equals(bytes.subarray(start, end))).toBe(true))
  file.close()
})

test.skipIf(process.platform === "win32")("only the owner can open its directory", async () => {
  const directory = newDirectory()
  const file = await createSpillDirectory(directory).open()
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  file.close()
})

test("a read after close fails, and never returns bytes of another file", async () => {
  const spill = createSpillDirectory(newDirectory())
  const file = await spill.open()
  await file.write([Buffer.alloc(1_000_000, "a")])
  const reading = file.pieces(0, 1_000_000)
  await reading.next()
  file.close()
  const other = await spill.open()
  await other.write([Buffer.alloc(1_000_000, "b")])
  await expect(reading.next()).rejects.toThrow()
  expect(() => file.read(10)).toThrow()
  other.close()
})
