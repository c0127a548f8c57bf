import { accessSync, chmodSync, constants, existsSync, readFileSync, statSync } from "node:fs"
import { userInfo } from "node:os"
import { dirname, join } from "node:path"
import { CommandError } from "../core/errors.ts"
import { makeDirectory } from "../kit/make-directory.ts"

const { R_OK, W_OK, X_OK } = constants
/** The directories in the data directory. Those that root made by mistake are found before something fails. */
const PARTS = ["lock", "journal", "bodies", "spill", "postgres"]

/** Throws a `CommandError` if the data directory exists and this user may not look into it. Changes nothing. */
export function requireAccess(dataDir: string): void {
  attempt(dataDir, () => {
    if (statSync(dataDir, { throwIfNoEntry: false })) accessSync(dataDir, R_OK | X_OK)
  })
}

/**
 * Creates the data directory if there is none; with `create: false`, only looks whether that would succeed. Throws a
 * `CommandError` that says what to do if this user cannot write the directory, or if root would leave files in the
 * directory of another user, who could not use them.
 */
export function requireWritable(dataDir: string, { create = true }: { readonly create?: boolean } = {}): void {
  attempt(dataDir, () => {
    // Node's mkdir reports a read-only file system as a missing directory, so this looks first.
    const existing = findExisting(dataDir)
    if (!statSync(existing).isDirectory())
      throw Object.assign(new Error(`ENOTDIR: ${existing} is not a directory`), { code: "ENOTDIR" })
    accessSync(existing, W_OK | X_OK)
    if (create) makeDirectory(dataDir)
    else if (!statSync(dataDir, { throwIfNoEntry: false })) return
    const parts = PARTS.map((name) => join(dataDir, name)).filter((path) => existsSync(path))
    for (const path of [dataDir, ...parts]) accessSync(path, R_OK | W_OK | X_OK)
    const { uid } = statSync(dataDir)
    if (process.geteuid?.() !== 0 || uid === 0) return
    const owner = toUserName(uid)
    throw new CommandError(
      `the data directory ${dataDir} belongs to ${owner}, and files that root creates there would stop that user's gateway: run this as ${owner} (sudo -u ${toSudoUser(uid)} …), or let root own the directory`,
    )
  })
}

/**
 * Creates the data directory of an embedded database and makes it accessible to its owner only, because PGlite creates
 * files that other users could read. Throws like `requireWritable`, and if the directory cannot be made private.
 */
export function prepareDataDirectory(dataDir: string): void {
  requireWritable(dataDir)
  if (process.platform === "win32") return
  const { mode, uid } = statSync(dataDir)
  const isPrivate = (mode & 0o1077) === 0
  if (isPrivate) return
  const shared = (mode & 0o1000) !== 0
  if (shared || uid !== process.geteuid?.()) {
    const whose = shared ? "is a directory that all users share" : `belongs to ${toUserName(uid)} and is open to others`
    throw new CommandError(
      `the data directory ${dataDir} ${whose}, and the embedded database needs one of its own: set storage.data_dir to a directory inside it`,
    )
  }
  attempt(dataDir, () => chmodSync(dataDir, 0o700))
}

function attempt(dataDir: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(explainDirectoryError(dataDir, error))
  }
}

/** Returns a sentence that says why a data directory cannot be used, who owns what is in the way, and what to do. */
export function explainDirectoryError(dataDir: string, error: unknown): string {
  const { code, message, path = dataDir } = error as NodeJS.ErrnoException
  const cannot = `cannot use the data directory ${dataDir}`
  if (code === "EROFS") {
    return `${cannot}: it is on a read-only file system; mount it writable, or set storage.data_dir to another directory`
  }
  if ((code === "ENOENT" || code === "ENOTDIR") && !existsSync(dataDir)) {
    const why =
      code === "ENOENT" ? `the file system at ${findExisting(path)} does not create it` : "a part of it is a file"
    return `${cannot}: ${why} (${code}); set storage.data_dir to a directory on a disk`
  }
  if (code !== "EACCES" && code !== "EPERM") return `${cannot}: ${message}`
  const closed = findExisting(path)
  const what = closed === dataDir ? "it" : closed
  const { uid } = statSync(closed)
  if (uid === process.geteuid?.())
    return `${cannot}: ${what} is yours, but its mode forbids it (${code}); chmod u+rwx ${closed}`
  const mine = process.geteuid?.() ?? -1
  const [owner, me] = [uid, mine].map(toUserName)
  const todo = isMissingIn(closed, dataDir)
    ? `create it for ${me} (sudo install -d -m 0700 -o ${findUserName(mine) ?? mine} ${dataDir})`
    : `run this as ${owner} (sudo -u ${toSudoUser(uid)} …)`
  return `${cannot}: ${what} belongs to ${owner}, and ${me} has no permission (${code}); ${todo}, or set storage.data_dir to a directory of ${me}`
}

/** Whether the path does not exist below `directory`, as opposed to a path that this user cannot see. */
function isMissingIn(directory: string, path: string): boolean {
  try {
    accessSync(directory, X_OK)
    return !existsSync(path)
  } catch {
    return false
  }
}

/** Returns the deepest part of the path that exists and that this user can see. */
function findExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : findExisting(dirname(path))
}

const PASSWD = "/etc/passwd"

function toUserName(uid: number): string {
  const name = findUserName(uid)
  return name === undefined ? `user ${uid}` : name
}

const toSudoUser = (uid: number): string => findUserName(uid) ?? `'#${uid}'`

function findUserName(uid: number): string | undefined {
  try {
    if (uid === process.geteuid?.()) return userInfo().username
  } catch {
    // A user without an entry, as in a container with a number as its user.
    return undefined
  }
  const lines = existsSync(PASSWD) ? readFileSync(PASSWD, "utf8").split("\n") : []
  return lines.map((line) => line.split(":")).find((fields) => fields[2] === String(uid))?.[0]
}
