import { fsyncSync } from "node:fs"
import { PGlite } from "@electric-sql/pglite"
import { NodeFS } from "@electric-sql/pglite/nodefs"
import { syncDirectory } from "../sync.ts"

/** The number of EIO (input/output error) in Emscripten, which uses WASI numbering. */
const EIO = 29

type Init = NodeFS["init"]

/** An operation of an open file. */
type StreamOperation = (...args: unknown[]) => unknown

interface PgliteModule {
  /** Replaced when the memory grows. */
  readonly HEAPU8: Uint8Array
  /** The addresses of two variables of PostgreSQL, each of 4 bytes. */
  readonly _QueryCancelPending: number
  readonly _InterruptPending: number
  readonly NODEFS: {
    readonly stream_ops: Record<"read" | "write" | "llseek", StreamOperation> & {
      fsync?: (stream: { nfd?: number | null; node: unknown }) => number
    }
    readonly node_ops: { setattr(node: unknown, attributes: { mode?: number }): void }
    realPath(node: unknown): string
  }
}

interface DurableFsEvents {
  /** Called after each file or directory that was synced to disk. */
  readonly onSync: () => void
  /** Called before each read, write or seek. Returns true to cancel the statement that runs. */
  readonly onFileOperation: () => boolean
}

/**
 * PGlite's file system on top of Node's, with two additions. Emscripten's NODEFS has no fsync, so PostgreSQL's calls
 * would do nothing. And a running statement blocks its thread, so file operations are where it can be canceled.
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
      makePrivate(this.#module.NODEFS)
      addSync(this.#module.NODEFS, this.#events.onSync)
      const operations = this.#module.NODEFS.stream_ops
      for (const name of ["read", "write", "llseek"] as const) {
        const run = operations[name]
        operations[name] = (...args) => {
          if (this.#events.onFileOperation()) this.setCancelPending(true)
          return run(...args)
        }
      }
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

/**
 * Returns PostgreSQL's start parameters for durable commits. `wal_sync_method` is `fsync` because Emscripten's
 * fdatasync does nothing either. The parameter `-F` is removed because it disables fsync.
 */
export function durableStartParams(): string[] {
  const settings = ["shared_buffers=16MB", "wal_sync_method=fsync", "synchronous_commit=on", "min_wal_size=32MB"]
  return [...PGlite.defaultStartParams.filter((param) => param !== "-F"), ...settings.flatMap((set) => ["-c", set])]
}
