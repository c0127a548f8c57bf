import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * Returns what `npm install` of the package adds: packages, bytes of the download, bytes on disk, and the largest files. The
 * package has no dependencies, so this is the result of `npm pack` for the present build.
 *
 * @param {string} root
 */
export function measureInstalled(root) {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-bench-pack-"))
  try {
    const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", directory]
    const [pack] = JSON.parse(
      execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    )
    const [tarball = ""] = readdirSync(directory)
    const files = /** @type {{ path: string, size: number }[]} */ (pack.files).toSorted((a, b) => b.size - a.size)
    return {
      packages: 1,
      downloadBytes: statSync(join(directory, tarball)).size,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
      largest: files.slice(0, 12),
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
