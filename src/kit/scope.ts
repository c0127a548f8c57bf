/** Closes resources in the reverse of the order in which they were opened. */
export interface Scope {
  /** Adds a function that closes a resource. */
  own(close: () => void | Promise<void>): void
  /** Closes each resource once, even if closing others fails. @throws the first failure, after all were tried */
  close(): Promise<void>
}

function createScope(): Scope {
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

/** Calls `open` with a new scope, and closes what it has opened if it fails. */
export async function openInScope<T>(open: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = createScope()
  try {
    return await open(scope)
  } catch (error) {
    await scope.close().catch(() => {})
    throw error
  }
}
