interface Repeated {
  /** Runs the work as soon as possible; again, if it runs now. */
  soon(): void
  /** Ends the repetition, and waits for the work that runs. */
  close(): Promise<void>
}

/** Runs work again and again, each time so many milliseconds after its end. A failure ends nothing. */
export function repeat(everyMs: number, work: () => Promise<void>, onError: (error: unknown) => void): Repeated {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let isWanted = false
  let isClosed = false

  async function run(): Promise<void> {
    do {
      isWanted = false
      await work().catch(onError)
    } while (isWanted && !isClosed)
    running = undefined
    schedule(everyMs)
  }

  function schedule(afterMs: number): void {
    if (isClosed) return
    timer = setTimeout(() => {
      running = run()
    }, afterMs).unref()
  }

  schedule(everyMs)
  return {
    soon() {
      isWanted = true
      if (running !== undefined) return
      clearTimeout(timer)
      schedule(0)
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      await running
    },
  }
}
