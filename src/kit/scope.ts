/** Owns what was opened, and closes it in reverse order: each once, all tried, the first failure thrown at the end. */
export interface Scope {
  own(close: () => void | Promise<void>): void
  close(): Promise<void>
}

export function createScope(): Scope {
  const closers: (() => void | Promise<void>)[] = []
  let closing: Promise<void> | undefined
  async function closeAll(): Promise<void> {
    const failures: unknown[] = []
    for (let close = closers.pop(); close; close = closers.pop()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
  return {
    own: (close) => void closers.push(close),
    close: () => {
      closing ??= closeAll()
      return closing
    },
  }
}
