import { readInSnapshot } from "../../database/slow-read.ts"
import {
  askExactLatency,
  askLatency,
  askUsage,
  type Latency,
  type LatencyAnswer,
  type LatencyQuestion,
  type LatencyRow,
  type RollupState,
  readLatency,
  readsRollups,
  readUsage,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { readRollups } from "./asker.ts"
import { fromDimensionFields, type ReportHead, toDimensionFields, toNoteFields, toQuestionObject } from "./json.ts"
import { listNotes } from "./notes.ts"
import { checkNames } from "./report.ts"

export type { LatencyRow }

/** The orders of a report on latency. The default is `time` for times, and `requests` for everything else. */
export const LATENCY_SORTS = ["requests", "errors", "error_rate", "p50", "p95", "p99", "time"] as const
type LatencySort = (typeof LATENCY_SORTS)[number]

export interface LatencyReportQuestion extends LatencyQuestion {
  readonly sort?: LatencySort | undefined
  readonly limit?: number | undefined
}

/** How long requests took, by one or two dimensions, or in total alone. */
export interface LatencyReport extends LatencyAnswer {
  /** The number of rows without the limit. */
  readonly groups: number
  /** Whether the percentiles come from histograms: then they are at most 5 % above or below the true ones. */
  readonly approximate: boolean
  /** Notes that a reader of the numbers needs, one sentence each. */
  readonly notes: readonly string[]
}

/** A period with fewer requests is computed from its rows, in about 50 ms. */
const MAX_EXACT = 20_000

/**
 * Computes percentiles of the time from the arrival of a request to the last byte of its answer. Only complete answers have
 * one: an interruption says nothing about how long the answer would have taken.
 *
 * @throws InputError for `by` if it is a metadata name that no request has carried
 */
export async function measureLatency(
  { database }: Context<"database">,
  question: LatencyReportQuestion,
): Promise<LatencyReport & { readonly rollups: RollupState }> {
  const { answer, approximate, rollups } = await readInSnapshot(database, async (read) => {
    const rollups = await readRollups(read)
    const all: LatencyQuestion = { by: [], period: question.period, filters: {} }
    const isShort = async () => readUsage((await read(askUsage(all, rollups))).rows, all).total.requests <= MAX_EXACT
    const approximate = readsRollups(question, rollups) && (needsRollups(question, rollups) || !(await isShort()))
    const ask = approximate ? askLatency : askExactLatency
    const { rows } = await read(ask(question, rollups), { serial: approximate })
    return { answer: readLatency(rows, question), approximate, rollups }
  })
  await checkNames({ database }, question.by, answer)
  const rows = sort(answer.rows, question.sort)
  const notes = [...listNotes(question, answer, rollups), ...noteUnmeasured(question, answer, rollups)]
  return { rows: rows.slice(0, question.limit), total: answer.total, groups: rows.length, approximate, notes, rollups }
}

/** Rows that were pruned are in rollups only, and only they know which values are counted as `(other)`. */
function needsRollups({ by, period }: LatencyQuestion, { prunedBefore, overflowing }: RollupState): boolean {
  const isPruned = prunedBefore !== undefined && period.since < prunedBefore
  return isPruned || by.some(({ metadata }) => metadata !== undefined && overflowing.has(metadata))
}

/** The sort is stable, so that equal rows keep the order of the report. */
function sort(rows: readonly LatencyRow[], by: LatencySort | undefined): readonly LatencyRow[] {
  if (by === undefined || by === "time") return rows
  const field = by.startsWith("p") ? (`${by}_ms` as "p50_ms") : (by as "requests")
  return rows.toSorted((a, b) => (b[field] ?? -1) - (a[field] ?? -1))
}

function noteUnmeasured(
  { period }: LatencyQuestion,
  { total }: LatencyAnswer,
  { prunedBefore }: RollupState,
): string[] {
  if (prunedBefore === undefined || period.since >= prunedBefore || total.measured > 0 || total.requests === 0)
    return []
  return ["the requests of this period were pruned before the gateway counted latencies, so these are not known"]
}

/** A report on latency in the form of JSON. */
export interface LatencyObject extends ReportHead {
  readonly rows: readonly (Latency & Readonly<Record<string, unknown>>)[]
  readonly total: Latency
  readonly approximate: boolean
}

/** Returns the report that its JSON form stands for. */
export function fromLatencyObject({ by, rows, total, groups, approximate, notes = [] }: LatencyObject): LatencyReport {
  return { rows: rows.map((row) => ({ ...row, ...fromDimensionFields(by, row) })), total, groups, approximate, notes }
}

/** Returns the JSON form of a report on latency. `now` is the time at which an open period ended, ms since the epoch. */
export function toLatencyObject(
  { rows, total, groups, approximate, notes }: LatencyReport,
  { question, now, pendingRows }: { question: LatencyQuestion; now: number; pendingRows: number },
): LatencyObject {
  return {
    ...toQuestionObject({ question, now }),
    rows: rows.map((row) => ({ ...toDimensionFields(question.by, row), ...toFields(row) })),
    total: toFields(total),
    groups,
    approximate,
    ...toNoteFields({ notes, pendingRows }),
  }
}

/** The numbers of a report on latency, in the order in which JSON and CSV show them. */
export const LATENCY_FIELDS = [
  "requests",
  "errors",
  "error_rate",
  "measured",
  "p50_ms",
  "p95_ms",
  "p99_ms",
] as const satisfies readonly (keyof Latency)[]

function toFields(latency: Latency): Latency {
  return Object.fromEntries(LATENCY_FIELDS.map((name) => [name, latency[name]])) as unknown as Latency
}
