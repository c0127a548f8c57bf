/** The data with which the engine starts its worker thread. */
export interface WorkerData {
  /** The directory of the cluster. */
  readonly directory: string
  /** Memory that both threads share: one number for each member of SHARED. */
  readonly counters: Int32Array
  /** Shared memory: until when the thread may write to the directory, in ms since the epoch. */
  readonly validUntil: Float64Array | undefined
}

/** The numbers in the memory that both threads share, by their index. */
export const SHARED = {
  /** The output bytes that the main thread has not consumed yet. */
  unconsumed: 0,
  /** The fsync calls so far, for files and directories. */
  syncs: 1,
  /** The file operations so far, which show that a statement makes progress. It may overflow. */
  fileOperations: 2,
  /** 1: cancel the statement that runs. */
  cancel: 3,
} as const

/** A message from the engine to its worker thread. */
export type ToWorker = { readonly type: "run"; readonly bytes: Uint8Array } | { readonly type: "close" }

/** A message from the worker thread to its engine. */
export type FromWorker =
  | { readonly type: "ready" | "done" | "closed" }
  | { readonly type: "output"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** The backend ended, for the reason given. */
  | { readonly type: "ended"; readonly reason: string }
