import type * as fs from "node:fs"
import { beforeEach, expect, it, vi } from "vitest"
import { aLine, makeDirectory, openTestJournal, takeAll } from "./_journal.ts"

// The fake provider here is the disk: only what it refuses is made up, all else is real.
const disk = vi.hoisted(() => ({
  write: undefined as undefined | ((length: number) => number),
  truncates: true,
  opens: true,
}))

vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const refuse = (code: string) => {
    throw Object.assign(new Error(`${code}: the test's disk`), { code })
  }
  return {
    ...real,
    writeSync(fd: number, bytes: Buffer, offset: number, length: number) {
      if (disk.write === undefined) return real.writeSync(fd, bytes, offset, length)
      const room = disk.write(length)
      return room === 0 ? refuse("ENOSPC") : real.writeSync(fd, bytes, offset, room)
    },
    ftruncateSync: (fd: number, length: number) => (disk.truncates ? real.ftruncateSync(fd, length) : refuse("EIO")),
    openSync: (...args: Parameters<typeof real.openSync>) => (disk.opens ? real.openSync(...args) : refuse("EMFILE")),
  }
})

beforeEach(() => Object.assign(disk, { write: undefined, truncates: true, opens: true }))

it("a full disk: lines fail without a trace, and are kept as soon as there is room again", async () => {
  const dir = await makeDirectory()
  const journal = await openTestJournal(dir)
  expect(journal.append(aLine("before"))).toBe("kept")
  disk.write = () => 0
  expect(journal.append(aLine("refused"))).toBe("failed")
  expect(journal.lastFailure).toMatchObject({ code: "ENOSPC" })
  expect(journal.probe()).toBe(false)
  disk.write = undefined
  expect(journal.probe()).toBe(true)
  expect(journal.append(aLine("after"))).toBe("kept")
  expect(journal.waitingLines).toBe(2)
  expect(await takeAll(journal)).toEqual({ ids: ["before", "after"], broken: [] })
})

it("a disk that takes half a line: that half is taken back", async () => {
  const journal = await openTestJournal(await makeDirectory())
  disk.write = (length) => length >> 1
  expect(journal.append(aLine("half"))).toBe("failed")
  disk.write = undefined
  expect(journal.append(aLine("whole"))).toBe("kept")
  expect(await takeAll(journal)).toEqual({ ids: ["whole"], broken: [] })
})

it("a half line that cannot be taken back stays at the end of a segment that is left", async () => {
  const dir = await makeDirectory()
  const journal = await openTestJournal(dir)
  journal.append(aLine("before"))
  disk.write = (length) => length >> 1
  disk.truncates = false
  expect(journal.append(aLine("half"))).toBe("failed")
  disk.write = undefined
  disk.opens = false
  expect(journal.append(aLine("nowhere"))).toBe("failed")
  disk.opens = true
  expect(journal.append(aLine("after"))).toBe("kept")
  await journal.close()
  const next = await openTestJournal(dir)
  expect(await takeAll(next)).toEqual({ ids: ["before", "after"], broken: [] })
})

it("no further file can be opened: the segment grows past its size", async () => {
  const troubles: string[] = []
  const journal = await openTestJournal(await makeDirectory(), {
    segmentBytes: 100,
    onError: (_, doing) => troubles.push(doing),
  })
  disk.opens = false
  for (let i = 0; i < 10; i++) expect(journal.append(aLine(`${i}`, "x".repeat(50)))).toBe("kept")
  expect(troubles).toContain("opening a new journal segment")
  expect((await takeAll(journal)).ids.length).toBe(10)
})
