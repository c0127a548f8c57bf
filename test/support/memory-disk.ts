import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { freemem, tmpdir } from "node:os"
import { join } from "node:path"

/** Linux's file system in memory. */
const MEMORY = "/dev/shm"
/** Names begin with this and the id of the process of the run. */
const PREFIX = "majordomo-tests-"
/** Twice what the temporary files of a run take at most. */
const NEEDED_BYTES = 4 * 2 ** 30
/** The name of the variable with the directory for what later runs use again. */
// No name of the gateway's own: commands reject a variable MAJORDOMO_… that they do not know.
const LASTING = "TESTS_LASTING_DIRECTORY"

/**
 * Makes `os.tmpdir()` of this process, and of those that it starts, a directory in memory that is deleted when this process
 * ends. The tests create and delete a million small files, which takes much more CPU time on a disk. Nothing changes where
 * TMPDIR is set, or where memory is scarce.
 */
export function useMemoryForFiles(): void {
  if (process.env["TMPDIR"] !== undefined || !isUsable()) return
  process.env[LASTING] = tmpdir()
  removeAbandoned()
  const dir = mkdtempSync(join(MEMORY, `${PREFIX}${process.pid}-`))
  chmodSync(dir, 0o1777) // PostgreSQL runs as another user if this process is root's
  process.env["TMPDIR"] = dir
  process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
}

/** Returns the directory for temporary files that later runs use again. */
export function findLastingDirectory(): string {
  return process.env[LASTING] ?? tmpdir()
}

function isUsable(): boolean {
  if (process.platform !== "linux" || !existsSync(MEMORY)) return false
  const { bavail, bsize } = statfsSync(MEMORY)
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY
  // The files in memory must leave as much for the tests themselves.
  if (bavail * bsize < NEEDED_BYTES || Math.min(freemem(), limit) < 2 * NEEDED_BYTES) return false
  return canExecute()
}

/** Returns whether programs can run from there: containers often forbid it. */
function canExecute(): boolean {
  let dir: string | undefined
  try {
    dir = mkdtempSync(join(MEMORY, `${PREFIX}${process.pid}-`))
    const script = join(dir, "script")
    writeFileSync(script, "#!/bin/sh\n", { mode: 0o700 })
    execFileSync(script)
    return true
  } catch {
    return false
  } finally {
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
  }
}

/** Removes what runs have left that were killed. */
function removeAbandoned(): void {
  for (const name of readdirSync(MEMORY).filter((each) => each.startsWith(PREFIX))) {
    const pid = Number(name.slice(PREFIX.length).split("-", 1)[0])
    if (existsSync(`/proc/${pid}`)) continue
    try {
      rmSync(join(MEMORY, name), { recursive: true, force: true })
    } catch {
      // It belongs to another user.
    }
  }
}
