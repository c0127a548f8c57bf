import type * as Fs from "node:fs"
import type * as FsPromises from "node:fs/promises"
import type { Database } from "../../src/database/_database.ts"

/** The process and its disk, as a test sees them. A *step* is one change of the disk, or one statement. */
export interface Machine {
  steps: number
  /** The process is killed before the step with this number. */
  dieAt: number
  /** The disk has no room, also in files that exist, except for the counters. */
  isFull: boolean
  isDatabaseAway: boolean
  onDeath: () => void
}

export const newMachine = (): Machine => ({
  steps: 0,
  dieAt: Number.POSITIVE_INFINITY,
  isFull: false,
  isDatabaseAway: false,
  onDeath: () => {},
})

export const isDead = ({ steps, dieAt }: Machine): boolean => steps >= dieAt

/** Counts a step. Returns false when the process does not take it, because it is dead. */
function takeStep(machine: Machine): boolean {
  if (isDead(machine)) return false
  machine.steps++
  if (isDead(machine)) machine.onDeath()
  return !isDead(machine)
}

function fail(code: string): never {
  throw Object.assign(new Error(code), { code })
}

type Written = (error: NodeJS.ErrnoException | null, written: number, bytes: Buffer) => void

/** `node:fs` on that machine. What a dead process does has no effect. */
export function onMachine(getMachine: () => Machine, real: typeof Fs): typeof Fs {
  const counters = new Set<number>()
  const step = () => void (takeStep(getMachine()) || fail("DEAD"))
  const needRoom = (fd: number) => void (getMachine().isFull && !counters.has(fd) && fail("ENOSPC"))
  return {
    ...real,
    openSync(...[path, flags, mode]: Parameters<typeof Fs.openSync>) {
      if (String(flags).startsWith("r")) {
        const fd = real.openSync(path, flags, mode)
        if (String(path).endsWith("counters.json")) counters.add(fd)
        else counters.delete(fd)
        return fd
      }
      if (getMachine().isFull) fail("ENOSPC")
      step()
      const fd = real.openSync(path, flags, mode)
      if (String(path).includes("counters.json")) counters.add(fd)
      else counters.delete(fd)
      return fd
    },
    writeSync(fd: number, bytes: Buffer, offset: number, length: number, position?: number) {
      needRoom(fd)
      step()
      return real.writeSync(fd, bytes, offset, length, position)
    },
    write(fd: number, bytes: Buffer, offset: number, length: number, position: number, done: Written) {
      if (takeStep(getMachine())) real.write(fd, bytes, offset, length, position, done)
      else done(Object.assign(new Error("DEAD"), { code: "DEAD" }), 0, bytes)
    },
    renameSync(from: string, to: string) {
      step()
      real.renameSync(from, to)
    },
    unlinkSync(path: string) {
      step()
      real.unlinkSync(path)
    },
    ftruncateSync(fd: number, length: number) {
      step()
      real.ftruncateSync(fd, length)
    },
  } as unknown as typeof Fs
}

/** `node:fs/promises` on that machine. */
export function promisesOnMachine(getMachine: () => Machine, real: typeof FsPromises): typeof FsPromises {
  return {
    ...real,
    async unlink(path) {
      if (!takeStep(getMachine())) fail("DEAD")
      await real.unlink(path)
    },
    async rename(from, to) {
      if (!takeStep(getMachine())) fail("DEAD")
      await real.rename(from, to)
    },
  }
}

/** The database as that process reaches it. A dead process sends nothing and learns nothing. */
export function databaseOn(machine: Machine, db: Database): Database {
  const never = () => new Promise<never>(() => {})
  return {
    ...db,
    async query(statement: never) {
      if (machine.isDatabaseAway) throw Object.assign(new Error("away"), { code: "ECONNREFUSED" })
      if (!takeStep(machine)) return never()
      const result = await db.query(statement)
      return isDead(machine) ? never() : result
    },
  } as Database
}
