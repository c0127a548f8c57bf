import { existsSync, mkdtempSync, readdirSync, readlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { findInputFile } from "../../src/cli/_input-file.ts"
import { untilFound } from "../support/until.ts"

const OPEN_FILES = "/proc/self/fd"

function isOpen(path: string): boolean {
  return readdirSync(OPEN_FILES).some((fd) => {
    try {
      return readlinkSync(join(OPEN_FILES, fd)) === path
    } catch {
      return false // it was closed meanwhile
    }
  })
}

function aFile(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "input-")), "export.csv")
  writeFileSync(path, text)
  return path
}

describe("the file of a command", () => {
  test("is read whole, and its size is known before", async () => {
    const { size, pieces } = await findInputFile(aFile("a,b\n1,2\n"), "a CSV file")
    let text = ""
    for await (const piece of pieces) text += Buffer.from(piece)
    expect([size, text]).toEqual([8, "a,b\n1,2\n"])
  })

  // Node 26 ends a process that leaves an open file to the garbage collector.
  test.skipIf(!existsSync(OPEN_FILES))(
    "is not open before it is read, and not after a reader has left it",
    async () => {
      const path = aFile("x".repeat(1_000_000))
      const { pieces } = await findInputFile(path, "a CSV file")
      expect(isOpen(path)).toBe(false)
      for await (const _ of pieces) {
        expect(isOpen(path)).toBe(true)
        break
      }
      await untilFound(() => !isOpen(path))
    },
  )

  test.each([
    ["is missing", "/nonexistent/export.csv", "ENOENT"],
    ["is a directory", tmpdir(), "EISDIR"],
  ])("is named with what it should be when it %s", async (_, path, code) => {
    await expect(findInputFile(path, "a CSV file")).rejects.toThrow(
      `${path} cannot be read (${code}): give the path of a CSV file`,
    )
  })

  test("is named also if it disappears before it is read", async () => {
    const path = aFile("a")
    const { pieces } = await findInputFile(path, "an export")
    unlinkSync(path)
    const read = async () => {
      for await (const _ of pieces);
    }
    await expect(read()).rejects.toThrow(`${path} cannot be read (ENOENT): give the path of an export`)
  })
})
