import type { Database, RunQuery } from "./_database.ts"
import type { OnProgress } from "./backfill.ts"
import { type Difference, findDifferences } from "./verify/differences.ts"
import { toFingerprints } from "./verify/fingerprint.ts"
import { openJournals } from "./verify/journals.ts"
import { type Period, type PeriodSummary, readPeriods, rememberPeriods, TIMEOUT_MS } from "./verify/periods.ts"
import { addDays, chooseWork, type Range } from "./verify/work.ts"

export type { Difference } from "./verify/differences.ts"
export { type Repair, repairRollups } from "./verify/repair.ts"

/** The rows that the disk and the database know of: accepted = written + waiting + rejected + dropped + lost. */
export interface VerifyResult {
  readonly accepted: number
  /** Requests in the database. */
  readonly written: number
  /** Rows in a journal, or in the memory of a gateway, that are not in the database yet. */
  readonly waiting: number
  /** Rows in a `rejected.jsonl`. */
  readonly rejected: number
  /** Rows that were dropped, according to the rows with `outcome = gap` and the counters beside the journals. */
  readonly dropped: number
  /** Rows that were removed from a journal and are not in the database, without having been pruned. Must be 0. */
  readonly lost: number
  /** Requests that are running, or whose process died and that get their row when its journal is opened. */
  readonly begun: number
  readonly differences: readonly Difference[]
  readonly days: VerifiedDays
}

/** How many days (UTC) were verified, and how. */
interface VerifiedDays {
  /** Their rollups were compared with their requests now. */
  readonly compared: number
  /** They were proven before, and nothing has changed since. */
  readonly proven: number
  /** Their requests were pruned: their rollups agree with each other. */
  readonly pruned: number
}

interface VerifyOptions {
  /** Compares all periods, also those that were proven before. */
  readonly all?: boolean
  /** Receives how many requests have been compared. */
  readonly onProgress?: OnProgress
}

/**
 * Compares journals, requests and rollups, while gateways go on writing. Each comparison of a rollup is one statement, and
 * so sees one snapshot. Takes no lock.
 */
export async function verifyLedger(
  db: Database,
  journalRoot: string,
  { all = false, onProgress = () => {} }: VerifyOptions = {},
): Promise<VerifyResult> {
  const compareJournals = await openJournals(journalRoot)
  const { journals, periods, names } = await db.transaction(async (query) => {
    await query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    return { journals: await compareJournals(query), periods: await readPeriods(query), names: await readNames(query) }
  })
  const work = chooseWork(periods, { all, maxRequests: MAX_REQUESTS[db.kind] })
  const total = work.reduce((sum, { requests }) => sum + requests, 0)
  const differences: Difference[] = []
  const summaries = new Map(periods.map((period) => [`${period.period} ${period.starts}`, period as PeriodSummary]))
  let done = 0
  onProgress(done, total)
  for (const range of work) {
    const found = await compare(db, range, names)
    differences.push(...found.differences)
    for (const period of found.periods) {
      const key = `${range.period} ${period.starts}`
      // Rows are counted in the snapshot in which the journals were compared: a row is either waiting or written.
      summaries.set(key, { ...period, requests: summaries.get(key)?.requests ?? 0 })
    }
    const wrong = new Set(found.differences.map(({ day }) => day))
    const proven = found.periods.filter(({ starts }) => !wrong.has(starts))
    await rememberPeriods(db, range.period, { proven, wrong: [...wrong] })
    done += range.requests
    onProgress(done, total)
  }
  const sum = (toNumber: (period: PeriodSummary) => number) =>
    [...summaries.values()].reduce((total, period) => total + toNumber(period), 0)
  const written = sum(({ requests, gaps }) => requests - gaps)
  const dropped = sum((period) => period.dropped) + journals.dropped
  const { waiting, rejected, lost } = journals
  const accepted = written + waiting + rejected + dropped + lost
  return { ...journals, accepted, written, dropped, differences, days: countDays(periods, work) }
}

/**
 * How many requests one statement reads. On the embedded database the other clients wait for it, so it must be short.
 */
const MAX_REQUESTS = { postgres: 1_000_000, embedded: 100_000 } as const

async function readNames(query: RunQuery): Promise<readonly string[]> {
  const { rows } = await query<{ name: string }>("SELECT name FROM llm_usage_metadata_names WHERE summed ORDER BY name")
  return rows.map(({ name }) => name)
}

interface Found {
  readonly differences: readonly Difference[]
  readonly periods: readonly PeriodSummary[]
}

/** Compares a range. Days are compared by their fingerprints, and counter by counter where these differ. */
async function compare(db: Database, range: Range, names: readonly string[]): Promise<Found> {
  const { from, until, how } = range
  if (how !== "fingerprints") return db.transaction((query) => findIn(query, how, from, until))
  const rows = await db.transaction(async (query) => {
    await query(PLAN)
    const text = toFingerprints(names.length)
    return (
      await query<PeriodSummary & { agrees: boolean }>({ text, values: [from, until, names], timeoutMs: TIMEOUT_MS })
    ).rows
  })
  const found: Found[] = [{ differences: [], periods: rows.filter(({ agrees }) => agrees) }]
  for (const { starts } of rows.filter(({ agrees }) => !agrees)) {
    found.push(await db.transaction((query) => findIn(query, "days", starts, addDays(starts, 1))))
  }
  return { differences: found.flatMap((each) => each.differences), periods: found.flatMap((each) => each.periods) }
}

async function findIn(query: RunQuery, what: "days" | "prunedDays" | "weeks", from: string, until: string) {
  await query(PLAN)
  return findDifferences(query, what, from, until)
}

/** Sorting and hashing in memory, and no compiling, which takes longer than the statements. */
const PLAN = "SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true)"

function countDays(periods: readonly Period[], work: readonly Range[]): VerifiedDays {
  const days = periods.filter(({ period }) => period === "day")
  const compared = days.filter(({ starts, isPruned }) =>
    work.some(({ period, from, until }) => period === "day" && !isPruned && from <= starts && starts < until),
  ).length
  const pruned = days.filter(({ isPruned }) => isPruned).length
  return { compared, proven: days.length - compared - pruned, pruned }
}
