import type { Database, Query, RunQuery } from "../_database.ts"

interface ReaderOptions {
  readonly replica: Database
  /** The database itself, which answers what the replica could not. */
  readonly primary: Database
  /** Aborts when the replica stopped answering, so that nothing waits for it any longer. */
  readonly gone: AbortSignal
  /** The replica failed a statement that the primary then answered. */
  onRepeated(error: unknown): void
}

/**
 * Creates a Database for one caller that only reads. It reads the replica. When that fails at anything, the statement or the
 * transaction is repeated on the primary, and all later ones go there too: what the caller has seen never becomes older.
 */
export function createReader({ replica, primary, gone, onRepeated }: ReaderOptions): Database {
  let current = replica

  async function read<T>(work: (database: Database) => Promise<T>): Promise<T> {
    if (current === primary || gone.aborted) return work(primary)
    let failure: unknown
    try {
      return await untilAborted(work(replica), gone)
    } catch (error) {
      failure = error
    }
    current = primary
    const value = await work(primary)
    onRepeated(failure)
    return value
  }

  const query: RunQuery = <Row>(statement: Query | string) => read((database) => database.query<Row>(statement))
  return {
    kind: primary.kind,
    title: primary.title,
    query,
    transaction: (work) => read((database) => database.transaction(work)),
    listen: primary.listen,
    close: async () => {},
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new Error("the replica stopped answering"))
    signal.addEventListener("abort", onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
  })
}
