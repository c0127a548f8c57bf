const LOOK_MS = 20

/**
 * Returns a function that waits while the process may not write to the directory. A process that was frozen wakes up
 * between two instructions of this thread. The main thread then renews the lease of the directory, or ends the process
 * because another machine has taken over; until one of them happens, nothing may be written.
 */
export function createFence(validUntil: Float64Array | undefined): () => void {
  if (!validUntil) return () => {}
  const never = new Int32Array(new SharedArrayBuffer(4))
  return () => {
    while (Date.now() >= validUntil[0]!) Atomics.wait(never, 0, 0, LOOK_MS)
  }
}
