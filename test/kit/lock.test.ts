import { spawn } from "node:child_process"
import { once } from "node:events"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { expect, test } from "vitest"
import { acquireLock } from "../../src/kit/lock.ts"
import { makeDirectory } from "../embedded/_harness.ts"
import { EMBEDDED_CACHE } from "../support/embedded-assets.ts"

test("a lock cannot be acquired again until it is released", async () => {
  const directory = makeDirectory()
  const first = await acquireLock(directory)
  expect(await acquireLock(directory)).toBeUndefined()
  await first?.release()
  const again = await acquireLock(directory)
  expect(again).toBeDefined()
  await again?.release()
})

test("two directories have separate locks", async () => {
  const locks = [await acquireLock(makeDirectory()), await acquireLock(makeDirectory())]
  expect(locks).not.toContain(undefined)
  for (const lock of locks) await lock?.release()
})

test("one of many processes holds the lock at a time, and the lock of a killed process is free at once", async () => {
  const directory = makeDirectory()
  const lockModule = pathToFileURL(resolve(EMBEDDED_CACHE, "lock.mjs")).href
  const script = `import { acquireLock } from ${JSON.stringify(lockModule)}
    for (;;) if (await acquireLock(${JSON.stringify(directory)})) break
      else await new Promise((next) => setTimeout(next, 2))
    process.stdout.write("mine\\n")
    setInterval(() => {}, 1000)`
  const racers = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] }),
  )
  const holders: number[] = []
  const takes = racers.map(async (racer, index) => {
    await once(racer.stdout!, "data")
    holders.push(index)
    return index
  })
  const waiting = new Set(takes.map((_, index) => index))
  for (let turn = 0; turn < racers.length; turn++) {
    const holder = await Promise.race([...waiting].map((index) => takes[index]!))
    waiting.delete(holder)
    expect(holders.length).toBe(turn + 1)
    expect(await acquireLock(directory)).toBeUndefined()
    racers[holder]!.kill("SIGKILL")
    await once(racers[holder]!, "exit")
  }
  const after = await acquireLock(directory)
  expect(after).toBeDefined()
  await after?.release()
})
