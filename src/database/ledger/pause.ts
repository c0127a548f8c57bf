/** A wait that can be ended early. Only one caller may wait at a time. */
interface Pause {
  wait(ms: number): Promise<void>
  /** Ends the wait that is running. */
  end(): void
}

export function createPause(): Pause {
  let endWait: (() => void) | undefined
  return {
    wait(ms) {
      return new Promise((resolve) => {
        const timer = setTimeout(finish, ms)
        function finish(): void {
          clearTimeout(timer)
          endWait = undefined
          resolve()
        }
        endWait = finish
      })
    },
    end: () => endWait?.(),
  }
}

/** A moment at which waiting ends. */
interface Deadline {
  /** Waits for `work`, but not beyond the deadline. Returns whether `work` was settled in time. */
  settles(work: Promise<void> | undefined): Promise<boolean>
  clear(): void
}

export function createDeadline(ms: number): Deadline {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false)
  })
  return {
    settles: (work) => Promise.race([Promise.resolve(work).then(() => true), late]),
    clear: () => clearTimeout(timer),
  }
}
