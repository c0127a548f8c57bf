import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, expect, it, onTestFinished } from "vitest"
import { CounterFile, readCounters } from "../../../src/kit/log/counter-file.ts"
import { mountSmallDisk } from "../../support/small-disk.ts"
import { makeDirectory } from "./_journal.ts"

const disk = mountSmallDisk(1)
afterAll(() => disk?.remove())

function open(dir: string, failures: string[] = []): CounterFile {
  const file = new CounterFile(dir, (error, doing) => failures.push(`${doing}: ${(error as Error).message}`))
  onTestFinished(() => file.abandon())
  return file
}

it("counters that were stored are there for the next process, and jq can read them", async () => {
  const dir = await makeDirectory()
  const file = open(dir)
  expect(file.stored).toBeUndefined()
  let dropped = 0
  file.content = () => ({ dropped, why: "the disk is full: ü" })
  for (; dropped < 5; dropped++) file.saveSync()
  dropped = 7
  await file.save()
  expect(readCounters(dir)).toEqual({ dropped: 7, why: "the disk is full: ü", sequence: 6 })
  const slots = readFileSync(join(dir, "counters.json"), "utf8").split("\n")
  expect(slots.filter((slot) => slot.trim() !== "").map((slot) => JSON.parse(slot).dropped)).toContain(7)
  expect(open(dir).stored).toMatchObject({ dropped: 7 })
})

it("a torn or damaged slot leaves the counters that were stored before it", async () => {
  const dir = await makeDirectory()
  const file = open(dir)
  let n = 0
  file.content = () => ({ n })
  for (n = 1; n < 6; n++) {
    if (n % 2) await file.save()
    else file.saveSync()
    const path = join(dir, "counters.json")
    const good = readFileSync(path)
    const newest = good.indexOf(`{"n":${n},`)
    for (const at of [0, 5, 20, 30]) {
      const bytes = Buffer.from(good)
      bytes.fill(0, newest + at, newest + 4096)
      writeFileSync(path, bytes)
      expect(readCounters(dir)?.["n"]).toBe(n === 1 ? undefined : n - 1)
    }
    writeFileSync(path, good)
  }
})

it("a file that is lost, too short or not ours is replaced as a whole", async () => {
  const dir = await makeDirectory()
  const path = join(dir, "counters.json")
  const file = open(dir)
  file.content = () => ({ n: 1 })
  await file.save()
  rmSync(path)
  await file.save()
  expect(readCounters(dir)).toMatchObject({ n: 1 })
  await file.close()
  for (const damage of [() => truncateSync(path, 10), () => writeFileSync(path, "{}")]) {
    damage()
    const next = open(dir)
    expect([next.stored, statSync(path).size]).toEqual([undefined, 4 * 4096])
  }
})

it.skipIf(disk === undefined)("[L6] a full disk cannot prevent counters from being stored", async () => {
  const failures: string[] = []
  const file = open(disk!.dir, failures)
  disk!.fill()
  let dropped = 0
  file.content = () => ({ dropped })
  for (; dropped < 20; dropped++) file.saveSync()
  await file.save()
  expect([readCounters(disk!.dir)?.["dropped"], disk!.free(), failures]).toEqual([20, 0, []])
  disk!.clear()
})

it.skipIf(disk === undefined)(
  "a disk that is full from the beginning is reported once, until there is room",
  async () => {
    const failures: string[] = []
    rmSync(join(disk!.dir, "counters.json"), { force: true })
    disk!.fill()
    const file = open(disk!.dir, failures)
    file.content = () => ({ n: 1 })
    for (let i = 0; i < 3; i++) file.saveSync()
    expect(failures).toHaveLength(1)
    disk!.clear()
    file.saveSync()
    expect(readCounters(disk!.dir)).toMatchObject({ n: 1 })
  },
)
