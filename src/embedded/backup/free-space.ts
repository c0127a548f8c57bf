import { statfs } from "node:fs/promises"
import { CommandError } from "../../core/errors.ts"

/** What stays free, so that a gateway that uses the same disk can go on writing. */
const RESERVE_BYTES = 256 * 1024 * 1024

/** Throws a CommandError if the disk of a directory has no room for `bytes` more. */
export async function requireFreeSpace(directory: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  if (free >= bytes + RESERVE_BYTES) return
  throw new CommandError(
    `${what} needs up to ${toMegabytes(bytes + RESERVE_BYTES)} MB in ${directory}, and ${toMegabytes(free)} MB are free: free some space`,
  )
}

const toMegabytes = (bytes: number): number => Math.ceil(bytes / 1_000_000)
