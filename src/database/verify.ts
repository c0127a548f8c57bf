import type { Database, RunQuery } from "./_database.ts"
import type { OnProgress } from "./backfill.ts"
import type { UnreadableFile } from "./ledger/read.ts"
import { type Difference, findDifferences } from "./verify/differences.ts"
import { toFingerprints, toRequestSums } from "./verify/fingerprint.ts"
import { openJournals } from "./verify/journals.ts"
import { compareLimits } from "./verify/limits.ts"
import { type Period, type PeriodSummary, readPeriods, rememberDays, TIMEOUT_MS } from "./verify/periods.ts"
import { compareRuns } from "./verify/runs.ts"
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
  /** Files of journals that cannot be read, so that nothing is proven about their rows. Must be empty. */
  readonly unreadable: readonly UnreadableFile[]
  readonly differences: readonly Difference[]
  readonly days: VerifiedDays
  /** The number of limits whose usage was compared with the requests. */
  readonly limits: number
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
    await query(PLAN)
    return { journals: await compareJournals(query), periods: await readPeriods(query), names: await readNames(query) }
  })
  const work = chooseWork(periods, { all, maxRequests: MAX_REQUESTS[db.kind] })
  const total = work.reduce((sum, { requests }) => sum + requests, 0)
  const differences: Difference[] = []
  const summaries = new Map(periods.map((period) => [`${period.period} ${period.starts}`, period as PeriodSummary]))
  let done = 0
  onProgress(done, total)
  for (const range of work) {
    const found = await compare(db, range, names, periods)
    const differing = [...found.differences, ...(await compareRunsOf(db, range))]
    differences.push(...differing)
    for (const period of found.periods) {
      const key = `${range.period} ${period.starts}`
      // Rows are counted in the snapshot in which the journals were compared: a row is either waiting or written.
      summaries.set(key, { ...period, requests: summaries.get(key)?.requests ?? 0 })
    }
    const wrong = new Set(differing.map(({ day }) => day))
    const proven = found.periods.filter(({ starts }) => !wrong.has(starts))
    if (range.period === "day") await rememberDays(db, { proven, wrong: [...wrong] })
    done += range.requests
    onProgress(done, total)
  }
  const limits = await compareLimits(db, { all })
  differences.push(...limits.differences)
  const sum = (toNumber: (period: PeriodSummary) => number) =>
    [...summaries.values()].reduce((total, period) => total + toNumber(period), 0)
  const written = sum(({ requests, gaps }) => requests - gaps)
  const dropped = sum((period) => period.dropped) + journals.dropped
  const { waiting, rejected, lost } = journals
  const accepted = written + waiting + rejected + dropped + lost
  const days = countDays(periods, work)
  return { ...journals, accepted, written, dropped, differences, days, limits: limits.compared }
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

/**
 * Compares a range. Days are compared in up to three ways, of which each finds the days that the next one looks at: by the
 * sums of requests of now and of rollups of before; by both sums in one snapshot; counter by counter.
 */
async function compare(db: Database, range: Range, names: readonly string[], known: readonly Period[]): Promise<Found> {
  const { from, until, how } = range
  if (how !== "fingerprints") return db.transaction((query) => findIn(query, how, from, until))
  const days = known.filter(({ period, starts }) => period === "day" && from <= starts && starts < until)
  const found: Found[] = []
  const differing: string[] = []
  const sums = new Map((await readSums(db, range, names)).map((sum) => [sum.starts, sum]))
  for (const day of days) {
    const sum = sums.get(day.starts)
    // NaN is equal to nothing.
    if (sum !== undefined && sum.number === day.number && sum.number !== "NaN")
      found.push({ differences: [], periods: [{ ...sum, digest: day.digest }] })
    else differing.push(day.starts)
  }
  for (const day of differing) found.push(await compareDay(db, day, names))
  return { differences: found.flatMap((each) => each.differences), periods: found.flatMap((each) => each.periods) }
}

/** The runs of days whose requests are there. */
async function compareRunsOf(db: Database, { how, from, until }: Range): Promise<readonly Difference[]> {
  return how === "fingerprints" || how === "days" ? compareRuns(db, from, until) : []
}

type RequestSum = Omit<PeriodSummary, "digest"> & { readonly number: string }

async function readSums(
  db: Database,
  { from, until }: Range,
  names: readonly string[],
): Promise<readonly RequestSum[]> {
  return db.transaction(async (query) => {
    await query(PLAN)
    const text = toRequestSums(names.length)
    return (await query<RequestSum>({ text, values: [from, until, ...names], timeoutMs: TIMEOUT_MS })).rows
  })
}

async function compareDay(db: Database, day: string, names: readonly string[]): Promise<Found> {
  return db.transaction(async (query) => {
    await query(PLAN)
    const [from, until] = [day, addDays(day, 1)]
    const text = toFingerprints(names.length)
    const { rows } = await query<PeriodSummary & { agrees: boolean }>({
      text,
      values: [from, until, ...names],
      timeoutMs: TIMEOUT_MS,
    })
    // A day that is missing was pruned in the meantime.
    if (rows.every(({ agrees }) => agrees)) return { differences: [], periods: rows }
    return findDifferences(query, "days", from, until)
  })
}

async function findIn(query: RunQuery, what: "days" | "prunedDays" | "weeks", from: string, until: string) {
  await query(PLAN)
  return findDifferences(query, what, from, until)
}

/**
 * Groups are few, and hashed in memory. Where the planner takes them to be many, it would sort wide rows on the disk. Where it
 * does not know how many values a day has, it would compare each one with each other. Compiling takes longer than it saves.
 */
const PLAN = `SELECT set_config('work_mem', '64MB', true), set_config('enable_sort', 'off', true),
  set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)`

function countDays(periods: readonly Period[], work: readonly Range[]): VerifiedDays {
  const days = periods.filter(({ period }) => period === "day")
  const compared = days.filter(({ starts, isPruned }) =>
    work.some(({ period, from, until }) => period === "day" && !isPruned && from <= starts && starts < until),
  ).length
  const pruned = days.filter(({ isPruned }) => isPruned).length
  return { compared, proven: days.length - compared - pruned, pruned }
}
