import { readInSnapshot } from "../../database/slow-read.ts"
import {
  askErrors,
  askUsage,
  type ErrorAnswer,
  type ErrorQuestion,
  type ErrorRow,
  type RollupState,
  readErrors,
  readsRollups,
  readUsage,
  toErrorRate,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { readRollups } from "./asker.ts"
import { type ReportHead, toDimensionFields, toNoteFields, toOffsetIso, toQuestionObject } from "./json.ts"
import { listNotes, toDay } from "./notes.ts"
import { checkNames } from "./report.ts"

export type { ErrorQuestion, ErrorRow }

/** The errors of a period: how many of the requests they are, and what they say. */
export interface ErrorReport extends ErrorAnswer {
  /** The requests and errors of the groups, and in total. They count all requests: the filter by status is not for them. */
  readonly rates: UsageAnswer
  /** Notes that a reader of the numbers needs, one sentence each. */
  readonly notes: readonly string[]
}

/**
 * Counts errors by the dimensions of the question, and by status, outcome and message. The limit of the question is for
 * these rows.
 *
 * @throws InputError for `by` if it is a metadata name that no request has carried
 */
export async function reportErrors(
  { database }: Context<"database">,
  question: ErrorQuestion,
): Promise<ErrorReport & { readonly rollups: RollupState }> {
  const { by, period, filters } = question
  const all: UsageQuestion = { by, period, filters: { ...filters, status: undefined } }
  const { rates, answer, rollups } = await readInSnapshot(database, async (read) => {
    const rollups = await readRollups(read)
    const rates = await read(askUsage(all, rollups), { serial: readsRollups(all, rollups) })
    const errors = await read(askErrors(question, rollups))
    return { rates: readUsage(rates.rows, all), answer: readErrors(errors.rows, question), rollups }
  })
  await checkNames({ database }, by, rates)
  const { prunedBefore } = rollups
  const isPruned = prunedBefore !== undefined && period.since < prunedBefore && readsRollups(all, rollups)
  const pruned = isPruned
    ? [`requests before ${toDay(prunedBefore)} were pruned, so what their errors said is not known`]
    : []
  return { ...answer, rates, notes: [...listNotes(all, rates, rollups), ...pruned], rollups }
}

interface Rate {
  readonly requests: number
  readonly errors: number
  readonly error_rate: number
}

interface ErrorObject {
  readonly status_code: number
  readonly outcome: string
  readonly error: string | null
  readonly requests: number
  /** ISO 8601 with the offset of the time zone. */
  readonly last_at: string
}

/** A report on errors in the form of JSON. `groups` counts the kinds of errors. */
export interface ErrorsObject extends ReportHead {
  readonly rows: readonly (ErrorObject & Readonly<Record<string, unknown>>)[]
  readonly rates: readonly (Rate & Readonly<Record<string, unknown>>)[]
  readonly total: Rate
}

/** Returns the JSON form of a report on errors. `now` is the time at which an open period ended, ms since the epoch. */
export function toErrorsObject(
  { rows, rates, groups, notes }: ErrorReport,
  { question, now, pendingRows }: { question: ErrorQuestion; now: number; pendingRows: number },
): ErrorsObject {
  return {
    ...toQuestionObject({ question, now }),
    groups,
    rows: rows.map((row) => toErrorObject(question, row)),
    rates: rates.rows.map((row) => ({ ...toDimensionFields(question.by, row), ...toRate(row) })),
    total: toRate(rates.total),
    ...toNoteFields({ notes, pendingRows }),
  }
}

/** Returns a row as it is in JSON and CSV. */
function toErrorObject({ by, period }: ErrorQuestion, row: ErrorRow): ErrorObject & Record<string, unknown> {
  const { status_code, outcome, error, requests, lastAt } = row
  return {
    ...toDimensionFields(by, row),
    status_code,
    outcome,
    error,
    requests,
    last_at: toOffsetIso(lastAt, period.tz),
  }
}

/** Returns how many requests there were, and how many of them ended with an error. */
function toRate({ requests, errors }: { readonly requests: number; readonly errors: number }) {
  return { requests, errors, error_rate: toErrorRate(errors, requests) }
}
