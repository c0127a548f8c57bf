/** The data with which the engine starts its worker thread. */
export interface WorkerData {
  /** The directory of the cluster. */
  readonly directory: string
  /** Shared memory: `[0]` counts the output bytes that the main thread has not consumed yet, `[1]` the fsync calls. */
  readonly counters: Int32Array
  /** Shared memory: until when the thread may write to the directory, in ms since the epoch. */
  readonly validUntil: Float64Array | undefined
}

/** A message from the engine to its worker thread. */
export type ToWorker = { readonly type: "run"; readonly bytes: Uint8Array } | { readonly type: "close" }

/** A message from the worker thread to its engine. */
export type FromWorker =
  | { readonly type: "ready" | "done" | "closed" }
  | { readonly type: "output"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** The backend ended, for the reason given. */
  | { readonly type: "ended"; readonly reason: string }
