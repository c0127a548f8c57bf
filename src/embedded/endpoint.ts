import { randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** The owner of the embedded database and its socket. This is the content of `endpoint.json`. */
export interface Endpoint {
  readonly pid: number
  readonly role: "serve" | "command"
  /** The owner's command, without options and their values. */
  readonly command: string
  /** ISO 8601. */
  readonly since: string
  /** The path of the socket, or the name of the pipe on Windows. */
  readonly socket: string
}

/** The socket's name that `psql -h DIRECTORY` and every libpq client expect. */
const SOCKET_NAME = ".s.PGSQL.5432"
/** `sun_path` holds 104 bytes on macOS and 108 on Linux, including the terminating zero. */
const MAX_SOCKET_PATH_BYTES = 100

const endpointFile = (dataDir: string): string => join(dataDir, "endpoint.json")

/** Returns the content of the endpoint file. Undefined when the file is missing or not valid. */
export function readEndpoint(dataDir: string): Endpoint | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(endpointFile(dataDir), "utf8"))
    return isEndpoint(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Writes the endpoint file under another name and renames it, so that no process reads an incomplete file. */
export function writeEndpoint(dataDir: string, endpoint: Endpoint): void {
  const draft = `${endpointFile(dataDir)}.new`
  writeFileSync(draft, `${JSON.stringify(endpoint, null, 2)}\n`, { mode: 0o600 })
  renameSync(draft, endpointFile(dataDir))
}

/** Removes the socket and the endpoint file. Only the holder of the lock may call it. */
export function removeEndpoint(dataDir: string): void {
  const socket = readEndpoint(dataDir)?.socket
  rmSync(endpointFile(dataDir), { force: true })
  if (process.platform === "win32") return
  rmSync(join(dataDir, SOCKET_NAME), { force: true })
  if (socket && isShortDirectory(dirname(socket))) rmSync(dirname(socket), { recursive: true, force: true })
}

/**
 * Returns the path at which the owner listens. It is in the data directory, or in a new short directory when the path
 * of the data directory is too long for a socket.
 */
export function makeSocketPath(dataDir: string): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\majordomo-${randomBytes(12).toString("hex")}`
  const inside = join(dataDir, SOCKET_NAME)
  if (isShort(inside)) return inside
  const short = join(tmpdir(), `majordomo-${randomBytes(6).toString("hex")}`)
  mkdirSync(short, { mode: 0o700 })
  return join(short, SOCKET_NAME)
}

const isShort = (path: string): boolean =>
  process.platform !== "win32" && Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES

const isShortDirectory = (path: string): boolean => dirname(path) === tmpdir() && /majordomo-[0-9a-f]{12}$/.test(path)

/**
 * Returns the socket of the directory's owner. Undefined when no process listens at it. An owner in a container may know
 * the directory under another path, so the socket in the directory comes before the path that the owner wrote.
 */
export async function findListeningSocket(dataDir: string): Promise<string | undefined> {
  const inside = join(dataDir, SOCKET_NAME)
  if (isShort(inside) && (await isListening(inside))) return inside
  const socket = readEndpoint(dataDir)?.socket
  return socket !== undefined && socket !== inside && (await isListening(socket)) ? socket : undefined
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })
}

function isEndpoint(value: unknown): value is Endpoint {
  if (typeof value !== "object" || value === null) return false
  const { pid, role, command, since, socket } = value as Record<string, unknown>
  const texts = [command, since, socket].every((text) => typeof text === "string")
  return typeof pid === "number" && texts && (role === "serve" || role === "command")
}
