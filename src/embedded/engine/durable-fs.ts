import { fsyncSync } from "node:fs"
import { PGlite } from "@electric-sql/pglite"
import { NodeFS } from "@electric-sql/pglite/nodefs"
import { syncDirectory } from "../sync.ts"

/** The number of EIO (input/output error) in Emscripten, which uses WASI numbering. */
const EIO = 29

type Init = NodeFS["init"]

type Operations = Record<string, (...args: never[]) => unknown>

/** The operations that change the directory. A change of content through `mmap` ends in `msync`. */
const CHANGES = {
  stream_ops: ["open", "write", "fsync", "msync"],
  node_ops: ["setattr", "mknod", "rename", "unlink", "rmdir", "symlink"],
} as const

interface PgliteModule {
  /** Replaced when the memory grows. */
  readonly HEAPU8: Uint8Array
  /** The addresses of two variables of PostgreSQL, each of 4 bytes. */
  readonly _QueryCancelPending: number
  readonly _InterruptPending: number
  readonly NODEFS: {
    readonly stream_ops: Operations & {
      fsync?: (stream: { nfd?: number | null; node: unknown }) => number
      open(stream: { readonly node: unknown }): void
    }
    readonly node_ops: Operations & {
      setattr(node: unknown, attributes: { mode?: number }): void
      mknod(parent: unknown, name: string, mode: number, device: number): unknown
    }
    realPath(node: unknown): string
  }
  readonly FS: {
    getPath(node: unknown): string
    lookupNode(parent: unknown, name: string): unknown
    destroyNode(node: unknown): void
    unlink(path: string): void
  }
}

interface DurableFsEvents {
  /** Called after each file or directory that was synced to disk. */
  readonly onSync: () => void
  /** Called before each read, write or seek. Returns true to cancel the statement that runs. */
  readonly onFileOperation: () => boolean
  /** Called before each change of the directory. It may block. */
  readonly beforeChange: () => void
}

/**
/**
 * PGlite's file system on top of Node's, with four additions. Emscripten's NODEFS has no fsync, so PostgreSQL's calls
 * would do nothing. A running statement blocks its thread, so file operations are where it can be canceled. And a process
 * that no longer owns the directory is stopped before it changes a file. A file that cannot be opened is not created either.
 */
export class DurableFs extends NodeFS {
  readonly #events: DurableFsEvents
  #module: PgliteModule | undefined

  constructor(directory: string, events: DurableFsEvents) {
    super(directory)
    this.#events = events
  }

  override async init(...args: Parameters<Init>): ReturnType<Init> {
    const ready = await super.init(...args)
    const install = (module: unknown) => {
      this.#module = module as PgliteModule
      const { NODEFS } = this.#module
      makePrivate(NODEFS)
      undoFailedCreation(this.#module)
      addSync(NODEFS, this.#events.onSync)
      const { stream_ops: operations } = NODEFS as { stream_ops: Operations }
      for (const name of ["read", "write", "llseek"]) {
        const run = operations[name]!
        operations[name] = (...args) => {
          if (this.#events.onFileOperation()) this.setCancelPending(true)
          return run(...args)
        }
      }
      addBefore(NODEFS, this.#events.beforeChange)
    }
    ready.emscriptenOpts.preRun = [...(ready.emscriptenOpts.preRun ?? []), install]
    return ready
  }

  /** Does what PostgreSQL's handler of SIGINT does: the statement ends with 57014 when it next checks for interrupts. */
  setCancelPending(isPending: boolean): void {
    if (this.#module === undefined) return
    const { HEAPU8, _QueryCancelPending, _InterruptPending } = this.#module
    HEAPU8[_QueryCancelPending] = isPending ? 1 : 0
    if (isPending) HEAPU8[_InterruptPending] = 1
  }
}

/** Emscripten sets the mode of new files itself and ignores the umask: some would be 0644. */
function makePrivate({ node_ops }: PgliteModule["NODEFS"]): void {
  const { setattr } = node_ops
  node_ops.setattr = (node, attributes) => {
    const { mode } = attributes
    setattr(node, mode === undefined ? attributes : { ...attributes, mode: mode & ~0o077 })
  }
}

/**
 * Emscripten notes a file by its name, creates it, and then opens it. When no descriptor is left for that, PostgreSQL closes
 * another file and tries again, which must find neither the name nor the file of the first attempt.
 */
function undoFailedCreation({ NODEFS: { node_ops, stream_ops }, FS }: PgliteModule): void {
  const { mknod } = node_ops
  const { open } = stream_ops
  let created: unknown
  node_ops.mknod = (parent, name, mode, device) => {
    try {
      created = mknod(parent, name, mode, device)
      return created
    } catch (error) {
      FS.destroyNode(FS.lookupNode(parent, name))
      throw error
    }
  }
  stream_ops.open = (stream) => {
    const isNew = created !== undefined && stream.node === created
    created = undefined
    try {
      open(stream)
    } catch (error) {
      if (isNew) FS.unlink(FS.getPath(stream.node))
      throw error
    }
  }
}

function addSync(nodeFs: PgliteModule["NODEFS"], onSync: () => void): void {
  nodeFs.stream_ops.fsync = (stream) => {
    try {
      if (typeof stream.nfd === "number") fsyncSync(stream.nfd)
      else syncDirectory(nodeFs.realPath(stream.node))
      onSync()
      return 0
    } catch {
      return -EIO
    }
  }
}

/** Calls `beforeChange` before each operation that changes the directory. */
function addBefore(operations: PgliteModule["NODEFS"], beforeChange: () => void): void {
  for (const kind of ["stream_ops", "node_ops"] as const) {
    const table: Operations = operations[kind]
    for (const name of CHANGES[kind]) {
      const change = table[name]
      if (!change) continue
      table[name] = (...args: never[]) => {
        beforeChange()
        return change(...args)
      }
    }
  }
}

/**
 * Returns PostgreSQL's start parameters for durable commits. `wal_sync_method` is `fsync` because Emscripten's
 * fdatasync does nothing either. The parameter `-F` is removed because it disables fsync.
 */
export function durableStartParams(): string[] {
  const settings = ["shared_buffers=16MB", "wal_sync_method=fsync", "synchronous_commit=on", "min_wal_size=32MB"]
  return [...PGlite.defaultStartParams.filter((param) => param !== "-F"), ...settings.flatMap((set) => ["-c", set])]
}
