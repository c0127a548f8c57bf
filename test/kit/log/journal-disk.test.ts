import type * as fs from "node:fs"
import { beforeEach, expect, it, vi } from "vitest"
import { aLine, makeDirectory, openTestJournal, takeAll } from "./_journal.ts"

// Only the failures of the disk are simulated; everything else is real.
const disk = vi.hoisted(() => ({
  write: undefined as undefined | ((length: number) => number),
  truncates: true,
  opens: true,
}))

vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const fail = (code: string) => {
    throw Object.assign(new Error(`${code}: the test's disk`), { code })
  }
  return {
    ...real,
    writeSync(fd: number, bytes: Buffer, offset: number, length: number, position?: number) {
      if (disk.write === undefined) return real.writeSync(fd, bytes, offset, length, position)
      const room = disk.write(length)
      return room === 0 ? fail("ENOSPC") : real.writeSync(fd, bytes, offset, room, position)
    },
    ftruncateSync: (fd: number, length: number) => (disk.truncates ? real.ftruncateSync(fd, length) : fail("EIO")),
    openSync: (...args: Parameters<typeof real.openSync>) => (disk.opens ? real.openSync(...args) : fail("EMFILE")),
  }
})

beforeEach(() => Object.assign(disk, { write: undefined, truncates: true, opens: true }))

it("on a full disk, lines fail without a trace, and are kept as soon as there is room again", async () => {
  const dir = await makeDirectory()
  const journal = await openTestJournal(dir)
  expect(journal.append(aLine("before"))).toBe("kept")
  disk.write = () => 0
  expect(journal.append(aLine("rejected"))).toBe("failed")
  expect(journal.lastFailure).toMatchObject({ code: "ENOSPC" })
  expect(journal.probe()).toBe(false)
  disk.write = undefined
  expect(journal.probe()).toBe(true)
  expect(journal.append(aLine("after"))).toBe("kept")
  expect(journal.waitingLines).toBe(2)
  expect(await takeAll(journal)).toEqual({ ids: ["before", "after"], damaged: [] })
})

it("half a line that the disk wrote is removed", async () => {
  const journal = await openTestJournal(await makeDirectory())
  disk.write = (length) => length >> 1
  expect(journal.append(aLine("half"))).toBe("failed")
  disk.write = undefined
  expect(journal.append(aLine("whole"))).toBe("kept")
  expect(await takeAll(journal)).toEqual({ ids: ["whole"], damaged: [] })
})

it("half a line that cannot be removed stays at the end of a segment that gets no more lines", async () => {
  const dir = await makeDirectory()
  const journal = await openTestJournal(dir)
  journal.append(aLine("before"))
  disk.write = (length) => length >> 1
  disk.truncates = false
  expect(journal.append(aLine("half"))).toBe("failed")
  disk.write = undefined
  disk.opens = false
  expect(journal.append(aLine("in the reserve"))).toBe("kept")
  disk.opens = true
  expect(journal.append(aLine("after"))).toBe("kept")
  await journal.close()
  const next = await openTestJournal(dir)
  expect(await takeAll(next)).toEqual({ ids: ["before", "in the reserve", "after"], damaged: [] })
})

it("a segment grows beyond its size when no new file can be opened", async () => {
  const failures: string[] = []
  const journal = await openTestJournal(await makeDirectory(), {
    segmentBytes: 100,
    onError: (_, doing) => failures.push(doing),
  })
  disk.opens = false
  for (let i = 0; i < 10; i++) expect(journal.append(aLine(`${i}`, "x".repeat(50)))).toBe("kept")
  expect(failures).toContain("opening a new journal segment")
  expect((await takeAll(journal)).ids.length).toBe(10)
})
