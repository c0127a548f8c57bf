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

interface DurableFsOptions {
  /** Called after each file or directory that was synced to disk. */
  readonly onSync: () => void
  /** Called before each change of the directory. It may block. */
  readonly beforeChange: () => void
}

interface NodeFsModule {
  readonly NODEFS: {
    readonly stream_ops: Operations & { fsync?: (stream: { nfd?: number | null; node: unknown }) => number }
    readonly node_ops: Operations & { setattr(node: unknown, attributes: { mode?: number }): void }
    realPath(node: unknown): string
  }
}

/**
 * PGlite's file system on top of Node's, with a working fsync. Emscripten's NODEFS has no fsync, so PostgreSQL's calls
 * would do nothing.
 */
export class DurableFs extends NodeFS {
  readonly #options: DurableFsOptions

  constructor(directory: string, options: DurableFsOptions) {
    super(directory)
    this.#options = options
  }

  override async init(...args: Parameters<Init>): ReturnType<Init> {
    const ready = await super.init(...args)
    const install = (module: unknown) => {
      const { NODEFS } = module as NodeFsModule
      // Emscripten sets the mode of new files itself and ignores the umask: some would be 0644.
      const { setattr } = NODEFS.node_ops
      NODEFS.node_ops.setattr = (node, attributes) => {
        const { mode } = attributes
        setattr(node, mode === undefined ? attributes : { ...attributes, mode: mode & ~0o077 })
      }
      NODEFS.stream_ops.fsync = (stream) => {
        try {
          if (typeof stream.nfd === "number") fsyncSync(stream.nfd)
          else syncDirectory(NODEFS.realPath(stream.node))
          this.#options.onSync()
          return 0
        } catch {
          return -EIO
        }
      }
      addBefore(NODEFS, this.#options.beforeChange)
    }
    ready.emscriptenOpts.preRun = [...(ready.emscriptenOpts.preRun ?? []), install]
    return ready
  }
}

/** Calls `beforeChange` before each operation that changes the directory. */
function addBefore(operations: NodeFsModule["NODEFS"], beforeChange: () => void): void {
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
