/** Receives a piece of the backend's output. The next pieces wait until the returned promise resolves. */
export type OnOutput = (chunk: Buffer) => Promise<void> | undefined

/** The one call that a worker thread is answering, with its time limit. */
interface PendingCall {
  isActive(): boolean
  /** Starts a call. The promise resolves with `succeed` and rejects with `fail`. */
  start(limitMs: number, onOutput?: OnOutput): Promise<void>
  /** Passes on a piece of output, and starts the time limit again. */
  receive(chunk: Buffer): Promise<void>
  succeed(): void
  fail(error: Error): void
}

/**
 * Creates a holder of at most one call. `onTimeout` is called when nothing arrives within a call's limit, and returns
 * for how many ms to wait before it is called again. Undefined ends the waiting.
 */
export function createPendingCall(onTimeout: (limitMs: number) => number | undefined): PendingCall {
  let active: { resolve(): void; reject(error: Error): void; readonly onOutput: OnOutput | undefined } | undefined
  let timer: NodeJS.Timeout | undefined

  const end = () => {
    clearTimeout(timer)
    const ended = active
    active = undefined
    return ended
  }

  const wait = (waitMs: number, limitMs: number) => {
    timer = setTimeout(() => {
      const furtherMs = onTimeout(limitMs)
      if (furtherMs !== undefined) wait(furtherMs, limitMs)
    }, waitMs)
  }

  return {
    isActive: () => active !== undefined,
    start(limitMs, onOutput) {
      wait(limitMs, limitMs)
      return new Promise<void>((resolve, reject) => {
        active = { resolve, reject, onOutput }
      })
    },
    async receive(chunk) {
      timer?.refresh()
      await active?.onOutput?.(chunk)
      timer?.refresh()
    },
    succeed: () => end()?.resolve(),
    fail: (error) => end()?.reject(error),
  }
}
