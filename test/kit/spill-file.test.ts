import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { createSpillDirectory } from "../../src/kit/spill-file.ts"

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "mdm-shelf-"))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, "below")
}

async function toBuffer(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

test("what is laid down is read again, whole or in part, as often as one likes, and has no name", async () => {
  const directory = newDirectory()
  const shelved = await createSpillDirectory(directory).open()
  const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, i) => i % 251))
  for (let at = 0; at < bytes.length; at += 70_000) {
    await shelved.write([bytes.subarray(at, at + 30_000), bytes.subarray(at + 30_000, at + 70_000)])
  }
  expect(shelved.length).toBe(bytes.length)
  expect(readdirSync(directory)).toEqual([])
  expect(shelved.read(1000)).toEqual(bytes.subarray(0, 1000))
  expect(shelved.read(1e9).equals(bytes)).toBe(true)
  const ranges = [
    [0, bytes.length],
    [0, 0],
    [299_999, 700_000],
  ] as const
  const read = await Promise.all(ranges.map(([start, end]) => toBuffer(shelved.pieces(start, end))))
  ranges.forEach(([start, end], i) => void expect(read[i]!.equals(bytes.subarray(start, end))).toBe(true))
  shelved.close()
})

test.skipIf(process.platform === "win32")("its directory is its owner's alone", async () => {
  const directory = newDirectory()
  const shelved = await createSpillDirectory(directory).open()
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  shelved.close()
})

test("whoever reads on when it is closed gets an error, never the bytes of another file", async () => {
  const shelf = createSpillDirectory(newDirectory())
  const shelved = await shelf.open()
  await shelved.write([Buffer.alloc(1_000_000, "a")])
  const reading = shelved.pieces(0, 1_000_000)
  await reading.next()
  shelved.close()
  const other = await shelf.open()
  await other.write([Buffer.alloc(1_000_000, "b")])
  await expect(reading.next()).rejects.toThrow()
  expect(() => shelved.read(10)).toThrow()
  other.close()
})
