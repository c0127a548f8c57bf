import type { Database, Query, Result } from "./_database.ts"

/** A report over many requests that neither a rollup nor an index covers may take minutes. */
const TIMEOUT_MS = 10 * 60_000

/**
 * Runs one statement that reads much and returns little. It gets more memory, so that ten thousand groups fit without a
 * disk file, and no JIT compilation, which would take half a second before totals that are added up in a tenth of one.
 * `serial` keeps it to one process: with ten thousand groups, merging the parts of several processes takes longer than
 * reading some weeks of rollups.
 */
export function readSlowly<Row = Record<string, unknown>>(
  db: Database,
  query: Query,
  { serial = false } = {},
): Promise<Result<Row>> {
  const statement = { ...query, timeoutMs: TIMEOUT_MS }
  // The embedded engine has no JIT, and its memory is the gateway's own.
  if (db.kind === "embedded") return db.query<Row>(statement)
  return db.transaction(async (run) => {
    const oneProcess = serial ? "; SET LOCAL max_parallel_workers_per_gather = 0" : ""
    await run(`SET LOCAL jit = off; SET LOCAL work_mem = '64MB'${oneProcess}`)
    return run<Row>(statement)
  })
}
