import { createHash, randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"

const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"

/**
 * Returns 16 hexadecimal digits that all processes on one running kernel share, in every container, and processes on
 * other kernels do not. macOS and Windows have no such number that is cheap to read, so the name of the machine stands
 * for it. Where Linux hides it, each process has its own and trusts only the times of a lease.
 */
export function readBootId(): string {
  if (process.platform !== "linux") return digest(`${process.platform}:${hostname()}`)
  try {
    return digest(readFileSync(BOOT_ID_FILE, "utf8"))
  } catch {
    return randomBytes(8).toString("hex")
  }
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16)
