import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { acquireLock, type Lock } from "../../src/kit/lock.ts"
import { canRun, inNamespaces } from "../support/namespaces.ts"
import { findOtherNode } from "../support/other-nodes.ts"
import { type LockProcess, startLockProcess } from "./_lock-process.ts"

/** A lease that expires soon, but not before a busy machine has renewed it. */
const SHORT = { renewMs: 200, validMs: 1_500, expiryMs: 4_000 }

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-lock-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function start(...args: Parameters<typeof startLockProcess>): Promise<LockProcess> {
  const started = await startLockProcess(...args)
  onTestFinished(() => started.kill())
  return started
}

test("a lock cannot be acquired again until it is released", async () => {
  const directory = makeDirectory()
  const first = await acquireLock(directory)
  expect(first!.isHeld()).toBe(true)
  expect(await acquireLock(directory)).toBeUndefined()
  await first!.release()
  expect(first!.isHeld()).toBe(false)
  const again = await acquireLock(directory)
  expect(again).toBeDefined()
  await again!.release()
  expect(readdirSync(join(directory, "lock"))).toEqual([])
})

test("two directories have separate locks", async () => {
  const locks = [await acquireLock(makeDirectory()), await acquireLock(makeDirectory())]
  expect(locks).not.toContain(undefined)
  for (const lock of locks) await lock?.release()
})

test("of processes that try at the same moment, one acquires the lock; when it is killed, the next one does at once", async () => {
  const directory = makeDirectory()
  const retry = async (): Promise<LockProcess> => {
    const started = await startLockProcess(directory)
    if (started.answer === "mine") return started
    await started.kill()
    return retry()
  }
  const racers = Array.from({ length: 5 }, retry)
  const waiting = new Set(racers)
  for (const _ of racers) {
    const { holder, racer } = await Promise.race(
      [...waiting].map(async (each) => ({ holder: await each, racer: each })),
    )
    waiting.delete(racer)
    expect(await acquireLock(directory)).toBeUndefined()
    await holder.kill()
  }
  const after = await acquireLock(directory)
  expect(after).toBeDefined()
  await after?.release()
})

/** Each gives the processes that share a directory with this one, and the path under which they see it. */
const PLACES: Record<string, (directory: string) => { path?: string; node?: string; under?: readonly string[] }> = {
  "another network namespace": () => ({ under: inNamespaces(["--net"], "true") }),
  "other network, mount and PID namespaces": () => ({ under: inNamespaces(["--net", "--mount", "--pid"], "true") }),
  "a mount of it at another path": (directory) => {
    const path = makeDirectory()
    return { path, under: inNamespaces(["--mount"], `mount --bind ${directory} ${path}`) }
  },
  "a symbolic link": (directory) => {
    const path = join(makeDirectory(), "link")
    symlinkSync(directory, path)
    return { path }
  },
  "Node 22": () => ({ node: findOtherNode(22) ?? "" }),
  "Node 24": () => ({ node: findOtherNode(24) ?? "" }),
}

for (const [name, place] of Object.entries(PLACES)) {
  test(`a directory has one owner, also seen from ${name}; a killed owner's directory is free at once`, async ({
    skip,
  }) => {
    const directory = makeDirectory()
    const { path = directory, node, under = [] } = place(directory)
    if (node === "") skip("npm could not install this version of Node")
    if (under.length > 0 && !canRun(under)) skip("this user may not create namespaces")

    const here = await start(directory)
    expect(here.answer).toBe("mine")
    const elsewhere = await start(path, { under, ...(node && { node }) })
    expect(elsewhere.answer).toBe("held")
    await here.kill()
    const next = await start(path, { under, ...(node && { node }) })
    expect(next.answer).toBe("mine")
    expect(await acquireLock(directory)).toBeUndefined()
    await next.kill()
    // A new PID namespace ends a moment after the command that made it, but long before a lease would expire.
    let last: Lock | undefined
    await expect.poll(async () => (last = await acquireLock(directory))).toBeDefined()
    await last?.release()
  })
}

const NOBODY = 65534
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"]
test.skipIf(!canRun(AS_NOBODY))(
  "another user can neither hold the lock of a directory nor disturb its owner",
  async () => {
    const directory = makeDirectory()
    chmodSync(directory, 0o755)
    const denied = new RegExp(`EACCES: permission denied, \\w+ '${directory}/lock`)
    const theirs = makeDirectory()
    chownSync(theirs, NOBODY, NOBODY)
    expect((await start(theirs, { under: AS_NOBODY })).answer).toBe("mine")

    await expect(start(directory, { under: AS_NOBODY })).rejects.toThrow(denied)
    const owner = await start(directory)
    expect(owner.answer).toBe("mine")
    await expect(start(directory, { under: AS_NOBODY })).rejects.toThrow(denied)
    expect(await acquireLock(directory)).toBeUndefined()
    await owner.kill()
    await expect(start(directory, { under: AS_NOBODY })).rejects.toThrow(denied)
    expect((await start(directory)).answer).toBe("mine")
  },
)

test("a path that is too long for a socket is locked like any other", async () => {
  const directory = join(makeDirectory(), "d".repeat(100))
  mkdirSync(directory)
  const first = await start(directory)
  expect(first.answer).toBe("mine")
  expect(readdirSync(join(directory, "lock"))[0]).toMatch(/\.sock$/)
  expect(await acquireLock(directory)).toBeUndefined()
})

test("a frozen owner on the same kernel keeps its directory, however long it is frozen", async () => {
  const directory = makeDirectory()
  const owner = await start(directory, { options: JSON.stringify({ timing: SHORT }) })
  owner.signal("SIGSTOP")
  const waited: number[] = []
  expect(await acquireLock(directory, { timing: SHORT, onWait: (ms) => waited.push(ms) })).toBeUndefined()
  expect(waited).toEqual([])
})

/** Returns a command line whose process sees itself on another kernel than this process. */
function onAnotherKernel(directory: string): readonly string[] {
  const bootId = join(directory, "boot-id")
  writeFileSync(bootId, "00000000-0000-4000-8000-000000000001\n")
  return inNamespaces(["--mount"], `mount --bind ${bootId} /proc/sys/kernel/random/boot_id`)
}

test("a directory that a process on another machine uses is never taken, however long one waits", async ({ skip }) => {
  const directory = makeDirectory()
  const under = onAnotherKernel(makeDirectory())
  if (!canRun(under)) skip("this user may not create namespaces")
  const owner = await start(directory, { under, options: JSON.stringify({ timing: SHORT }) })
  expect(owner.answer).toBe("mine")
  expect(await acquireLock(directory)).toBeUndefined()
  const waited: number[] = []
  expect(await acquireLock(directory, { timing: SHORT, onWait: (ms) => waited.push(ms) })).toBeUndefined()
  expect(waited).toEqual([SHORT.expiryMs])
})

test("a frozen process on another machine loses its directory, and ends without writing when it wakes up", async ({
  skip,
}) => {
  const directory = makeDirectory()
  const under = onAnotherKernel(makeDirectory())
  if (!canRun(under)) skip("this user may not create namespaces")
  const written = join(directory, "written")
  const freeze = join(directory, "freeze")
  // The process stops itself just before it looks at its lock, so that no write is under way.
  const owner = await start(directory, {
    under,
    options: JSON.stringify({ timing: SHORT }),
    work: `if (existsSync(${JSON.stringify(freeze)})) process.kill(process.pid, "SIGSTOP")
      if (lock.isHeld()) appendFileSync(${JSON.stringify(written)}, "x")`,
  })
  await expect.poll(() => existsSync(written)).toBe(true)
  writeFileSync(freeze, "")
  let lock: Lock | undefined
  const acquire = async () => (lock = await acquireLock(directory, { timing: SHORT, onWait: () => {} }))
  await expect.poll(acquire).toBeDefined()
  rmSync(freeze)
  const before = readFileSync(written, "utf8")
  owner.signal("SIGCONT")
  expect(await owner.exited).toBe(1)
  expect(owner.errors()).toContain("another process has taken it over")
  expect(readFileSync(written, "utf8")).toBe(before)
  await expect.poll(() => lock!.isHeld()).toBe(true)
  await lock!.release()
})

test("a process that was frozen and whose directory nobody took goes on", async () => {
  const directory = makeDirectory()
  const written = join(directory, "written")
  const owner = await start(directory, {
    options: JSON.stringify({ timing: { renewMs: 50, validMs: 100, expiryMs: 60_000 } }),
    work: `if (lock.isHeld()) appendFileSync(${JSON.stringify(written)}, "x")`,
  })
  await expect.poll(() => existsSync(written)).toBe(true)
  owner.signal("SIGSTOP")
  const stoppedAt = Date.now()
  await expect.poll(() => Date.now() - stoppedAt).toBeGreaterThan(300)
  const { length } = readFileSync(written, "utf8")
  owner.signal("SIGCONT")
  await expect.poll(() => readFileSync(written, "utf8").length).toBeGreaterThan(length)
})

test("an owner whose directory was deleted goes on, because there is nothing left to own", async () => {
  const directory = makeDirectory()
  const lock = await acquireLock(directory, { timing: { renewMs: 20, validMs: 40, expiryMs: 60_000 } })
  rmSync(directory, { recursive: true })
  await expect.poll(() => lock!.validUntil[0]).toBe(Number.POSITIVE_INFINITY)
  expect(lock!.isHeld()).toBe(true)
  await lock!.release()
})

test.each([
  ["moved", (directory: string) => renameSync(directory, `${directory}.moved`)],
  ["deleted", (directory: string) => rmSync(directory, { recursive: true })],
])(
  "an owner whose directory was %s goes on until another process acquires a directory in its place",
  async (_, remove) => {
    const directory = makeDirectory()
    onTestFinished(() => rmSync(`${directory}.moved`, { recursive: true, force: true }))
    const written = join(makeDirectory(), "written")
    const owner = await start(directory, {
      options: JSON.stringify({ timing: SHORT }),
      work: `if (lock.isHeld()) appendFileSync(${JSON.stringify(written)}, "x")`,
    })
    await expect.poll(() => existsSync(written)).toBe(true)
    remove(directory)
    const { length } = readFileSync(written, "utf8")
    const removedAt = Date.now()
    await expect.poll(() => Date.now() - removedAt).toBeGreaterThan(SHORT.validMs + 2 * SHORT.renewMs)
    expect(readFileSync(written, "utf8").length).toBeGreaterThan(length)
    mkdirSync(directory) // what the owner may create there is not what another process has acquired
    await expect.poll(() => Date.now() - removedAt).toBeGreaterThan(SHORT.validMs + 4 * SHORT.renewMs)
    const next = await start(directory)
    expect(next.answer).toBe("mine")
    expect(await owner.exited).toBe(1)
    expect(owner.errors()).toContain(
      `LockLostError: ${directory}/lock does not belong to this process any more: another process uses its path`,
    )
  },
)

test("an owner whose lock was deleted by hand ends, because another process could acquire it", async () => {
  const directory = makeDirectory()
  const owner = await start(directory, { options: JSON.stringify({ timing: SHORT }) })
  rmSync(join(directory, "lock"), { recursive: true })
  expect(await owner.exited).toBe(1)
  expect(owner.errors()).toContain("or its files were deleted")
})
