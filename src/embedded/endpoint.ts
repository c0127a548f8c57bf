import { randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** Who owns the embedded database, and where it listens: the content of `endpoint.json`. */
export interface Endpoint {
  readonly pid: number
  readonly role: "serve" | "command"
  /** The command line of the owner, without its arguments' values. */
  readonly command: string
  /** ISO 8601. */
  readonly since: string
  /** Path of the socket (a pipe's name on Windows). */
  readonly socket: string
}

/** The name that `psql -h DIRECTORY` and every libpq client look for. */
const SOCKET_NAME = ".s.PGSQL.5432"
/** sun_path holds 104 bytes on macOS, 108 on Linux, with the final zero. */
const MAX_SOCKET_PATH_BYTES = 100

const endpointFile = (dataDir: string): string => join(dataDir, "endpoint.json")

/** The endpoint file as it is; undefined: nobody has written one, or not one that can be read. */
export function readEndpoint(dataDir: string): Endpoint | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(endpointFile(dataDir), "utf8"))
    return isEndpoint(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Written beside and renamed, so that nobody reads half of it. */
export function writeEndpoint(dataDir: string, endpoint: Endpoint): void {
  const draft = `${endpointFile(dataDir)}.new`
  writeFileSync(draft, `${JSON.stringify(endpoint, null, 2)}\n`, { mode: 0o600 })
  renameSync(draft, endpointFile(dataDir))
}

/** Takes away the socket and the endpoint file. For whoever holds the lock. */
export function removeEndpoint(dataDir: string): void {
  const socket = readEndpoint(dataDir)?.socket
  rmSync(endpointFile(dataDir), { force: true })
  if (process.platform === "win32") return
  rmSync(join(dataDir, SOCKET_NAME), { force: true })
  if (socket && isShortDirectory(dirname(socket))) rmSync(dirname(socket), { recursive: true, force: true })
}

/** Where the owner listens: in the data directory, or where its path is too long for a socket, in a short one. */
export function makeSocketPath(dataDir: string): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\majordomo-${randomBytes(12).toString("hex")}`
  const inside = join(dataDir, SOCKET_NAME)
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH_BYTES) return inside
  const short = join(tmpdir(), `majordomo-${randomBytes(6).toString("hex")}`)
  mkdirSync(short, { mode: 0o700 })
  return join(short, SOCKET_NAME)
}

const isShortDirectory = (path: string): boolean => dirname(path) === tmpdir() && /majordomo-[0-9a-f]{12}$/.test(path)

/** The socket that answers now for this directory; undefined: nobody listens. */
export async function findListeningSocket(dataDir: string): Promise<string | undefined> {
  const socket = readEndpoint(dataDir)?.socket
  return socket !== undefined && (await answers(socket)) ? socket : undefined
}

function answers(path: string): Promise<boolean> {
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
