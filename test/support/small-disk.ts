import { execFileSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A file system that a test can fill to the last byte. */
export interface SmallDisk {
  readonly dir: string
  /** The number of bytes that can still be written. */
  free(): number
  fill(): void
  /** Removes what `fill` wrote. */
  clear(): void
  remove(): void
}

/** Mounts a tmpfs of this many MB. Returns undefined if this user may not mount one. */
export function mountSmallDisk(megabytes: number): SmallDisk | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined
  const dir = mkdtempSync(join(tmpdir(), "mdm-disk-"))
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "tmpfs", dir], { stdio: "ignore" })
  } catch {
    rmdirSync(dir)
    return undefined
  }
  chmodSync(dir, 0o755)
  const filler = join(dir, "filler")
  const free = () => {
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize
  }
  return {
    dir,
    free,
    fill() {
      while (free() > 0) {
        try {
          writeFileSync(filler, Buffer.alloc(Math.min(free(), 1 << 20), 1), { flag: "a" })
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
        }
      }
    },
    clear: () => rmSync(filler, { force: true }),
    remove() {
      execFileSync("umount", ["--lazy", dir], { stdio: "ignore" })
      rmdirSync(dir)
    },
  }
}
