import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs"
import { connect } from "node:net"
import { dirname, join } from "node:path"
import { HAS_SYSTEM_LOCK } from "./system-lock.ts"

/** `sun_path` holds 108 bytes on Linux, including the terminating zero. */
const MAX_SOCKET_PATH_BYTES = 100
/** `BOOT-TOKEN.sock` or `BOOT-TOKEN.lease`; `….expired` when another process declared its owner dead. */
const LEASE = /^([0-9a-f]{16})-[0-9a-f]{16}\.(?:(sock)|lease)(\.expired)?$/

/** The file of a process that owns the directory, or tries to. */
export interface LeaseFile {
  readonly name: string
  readonly boot: string
  /** Whether the file is a socket, so that the kernel knows whether its process lives. */
  readonly isSocket: boolean
}

/** The directory of the leases. It stays open, so that it is found even if it was moved or its path is long. */
export interface LockFolder {
  /** The path under which the directory was opened, for messages. */
  readonly path: string
  /** Returns the path of a file, which is short enough for a socket if `canHoldSockets`. */
  pathOf(name: string): string
  readonly canHoldSockets: boolean
  /** Returns the leases, and the sockets that are not ready (`TOKEN.new`). */
  list(): { readonly leases: readonly LeaseFile[]; readonly unfinished: readonly string[] }
  remove(name: string): void
  /** Returns whether the directory that it locks was deleted, so that no process can own it. */
  isAllDeleted(): boolean
  /** Returns whether the path leads to another directory now, because this one was moved or deleted. */
  isReplaced(): boolean
  close(): void
}

/** Opens the directory of the leases. Creates it, accessible only to this user, when it does not exist. */
export function openFolder(path: string): LockFolder {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const descriptor = process.platform === "win32" ? undefined : openSync(path, "r")
  const short = `/proc/self/fd/${descriptor}`
  const root = process.platform === "linux" && existsSync(short) ? short : path
  return {
    path,
    pathOf: (name) => join(root, name),
    canHoldSockets: !HAS_SYSTEM_LOCK && Buffer.byteLength(join(root, "x".repeat(48))) <= MAX_SOCKET_PATH_BYTES,
    list() {
      const names = readdirSync(root)
      const leases = names.flatMap((name) => {
        const found = LEASE.exec(name)
        return found ? [{ name, boot: found[1]!, isSocket: found[2] !== undefined && found[3] === undefined }] : []
      })
      return { leases, unfinished: names.filter((name) => name.endsWith(".new")) }
    },
    remove: (name) => rmSync(join(root, name), { force: true }),
    // A directory that was moved still exists for its descriptor.
    isAllDeleted: () => !existsSync(dirname(path)) && (descriptor === undefined || fstatSync(descriptor).nlink === 0),
    isReplaced() {
      if (descriptor === undefined) return false
      try {
        const [found, ours] = [statSync(path), fstatSync(descriptor)]
        return found.ino !== ours.ino || found.dev !== ours.dev
      } catch {
        return false // nothing is at the path, or it cannot be seen at the moment
      }
    },
    close: () => descriptor !== undefined && closeSync(descriptor),
  }
}

/**
 * Asks the kernel whether a process listens at a socket. A process that is stopped still listens. The answer holds in
 * every container of the same kernel, because the socket belongs to the file and not to a network namespace.
 */
export function isListening(path: string): Promise<"yes" | "no" | "unknown"> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once("connect", () => {
      socket.destroy()
      resolve("yes")
    })
    socket.once("error", ({ code }: NodeJS.ErrnoException) => {
      // EAGAIN: a process listens, and does not accept connections at the moment.
      if (code === "EAGAIN") resolve("yes")
      else resolve(code === "ECONNREFUSED" || code === "ENOENT" ? "no" : "unknown")
    })
  })
}
