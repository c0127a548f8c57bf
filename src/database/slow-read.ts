import type { Database, Query, Result } from "./_database.ts"

/** Over rows that no sum and no index helps with, a report takes its time. */
export const PATIENCE_MS = 10 * 60_000

/**
 * One statement that reads much and answers little. Memory for groups, so that ten thousand of them need no disk; no
 * compilation, which takes half a second before sums that are added in a tenth of one. `serial`: by one process, for
 * with ten thousand groups it takes longer to unite the parts of several than to read some weeks of sums.
 */
export function readSlowly<Row = Record<string, unknown>>(
  db: Database,
  query: Query,
  { serial = false } = {},
): Promise<Result<Row>> {
  const patient = { ...query, timeoutMs: PATIENCE_MS }
  // The embedded engine compiles nothing, and its memory is the gateway's own.
  if (db.kind === "embedded") return db.query<Row>(patient)
  return db.transaction(async (run) => {
    const alone = serial ? "; SET LOCAL max_parallel_workers_per_gather = 0" : ""
    await run(`SET LOCAL jit = off; SET LOCAL work_mem = '64MB'${alone}`)
    return run<Row>(patient)
  })
}
