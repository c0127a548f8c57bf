import type { Database, Query, Result } from "./_database.ts"

/** A report over many requests that neither a rollup nor an index covers may take minutes. */
const TIMEOUT_MS = 10 * 60_000

/**
 * Runs one statement that reads much and returns little. With `serial`, it runs in one process: with ten thousand groups,
 * merging the parts of several processes takes longer than reading some weeks of rollups.
 */
export type ReadSlowly = <Row = Record<string, unknown>>(
  query: Query,
  options?: { readonly serial?: boolean },
) => Promise<Result<Row>>

/** Runs one statement that reads much and returns little. */
export function readSlowly<Row = Record<string, unknown>>(db: Database, query: Query): Promise<Result<Row>> {
  // The embedded engine has no JIT, and its memory is the gateway's own.
  if (db.kind === "embedded") return db.query<Row>({ ...query, timeoutMs: TIMEOUT_MS })
  return readInSnapshot(db, (read) => read<Row>(query))
}

/**
 * Runs several such statements that belong together: all of them see the database as it was at the first one. `work` must
 * not use another connection, because the embedded database runs nothing else meanwhile.
 *
 * On a server, they get more memory, so that ten thousand groups fit without a disk file, and no JIT compilation, which
 * would take half a second before totals that are added up in a tenth of one.
 */
export function readInSnapshot<T>(db: Database, work: (read: ReadSlowly) => Promise<T>): Promise<T> {
  const isServer = db.kind !== "embedded"
  return db.transaction(async (run) => {
    await run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    if (isServer) await run("SET LOCAL jit = off; SET LOCAL work_mem = '64MB'")
    return work(async (query, { serial = false } = {}) => {
      if (isServer) await run(`SET LOCAL max_parallel_workers_per_gather = ${serial ? "0" : "DEFAULT"}`)
      return run({ ...query, timeoutMs: TIMEOUT_MS })
    })
  })
}
