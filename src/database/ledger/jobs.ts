import type { JobItemKey, JobNote, JobState } from "../../core/job.ts"
import type { JournalRecord } from "../../core/log-record.ts"
import type { Database, RunQuery } from "../_database.ts"
import { lockFirst } from "../locks.ts"
import { insertRows, MARKS, type Mark } from "./insert.ts"
import {
  ADD_ITEMS,
  BILL_ITEMS,
  COMPLETE_ROWS,
  FIND_BILLABLE,
  LOCK_CREATIONS,
  SETTLE_JOBS,
  UPSERT_FILES,
  UPSERT_JOBS,
} from "./job-statements.ts"
import type { LateListener, LateRow } from "./late.ts"
import { JOB_MARK } from "./serialize.ts"

/** The items that are billed at once. Many may wait for the creation of their job, and all of them in one transaction. */
const ITEMS_PER_STATEMENT = 500

type RecordWith<Note extends JobNote> = JournalRecord & { readonly job: Note }
type ItemRecord = RecordWith<JobItemKey>

/** Returns whether a batch of rows, as a JSON array, may say anything about jobs. */
export function concernsJobs(array: Buffer): boolean {
  return array.includes(JOB_MARK)
}

interface InsertOptions extends LateListener {
  /** The journal of the rows and the last of them, to be marked; undefined: nothing is marked. */
  readonly mark: Mark | undefined
  readonly timeoutMs: number
}

/**
 * Inserts a batch of rows and applies what they say about jobs, in one transaction. Sending a batch again does no harm:
 * an item of a job is billed by the first record of it that arrives. Every other record of it is dropped.
 *
 * An item whose job is not known is kept without being billed. The creation of the job may be in another gateway's
 * journal; when it arrives, the item is billed.
 */
export async function insertWithJobs(db: Database, array: Buffer, options: InsertOptions): Promise<void> {
  const { mark, timeoutMs, onLate } = options
  const records = JSON.parse(array.toString()) as readonly JournalRecord[]
  const late = await db.transaction(async (run) => {
    const query: RunQuery = (statement) =>
      run(typeof statement === "string" ? { text: statement, timeoutMs } : { timeoutMs, ...statement })
    // One gateway at a time: a creation and the item that it lets bill must not miss each other. Locks are taken in the
    // order of `locks.ts`: the rows that may be completed come before the rollups.
    await lockFirst(query, 7)
    const touched = toTouched(records)
    await send(query, LOCK_CREATIONS, touched)
    if (mark) await query({ text: MARKS[mark.of], values: [...mark.values] })
    await insertRecords(
      query,
      records.filter((record) => !isItem(record)),
    )
    const states = records.filter(isState)
    const items = records.filter(isItem)
    await send(query, UPSERT_JOBS, mergeStates(states))
    await send(query, UPSERT_FILES, states.flatMap(toFiles))
    await send(query, ADD_ITEMS, withoutRepeated([...states.flatMap(toOwnItem), ...items.map(toItem)]))
    const billed: LateRow[] = []
    for (let count = ITEMS_PER_STATEMENT; count === ITEMS_PER_STATEMENT; ) {
      const rows = await billItems(query, touched)
      count = rows.length
      billed.push(...rows)
    }
    await send(query, SETTLE_JOBS, touched)
    return billed
  })
  if (late.length > 0) onLate?.(late)
}

function isItem(record: JournalRecord): record is ItemRecord {
  return record.job !== undefined && "item" in record.job
}

function isState(record: JournalRecord): record is RecordWith<JobState> {
  return record.job !== undefined && "state" in record.job
}

/** The name of a job, of a file with results, or of the source of an item. */
interface Touched {
  readonly provider: string
  readonly name: string
  /** All results that it has were downloaded. */
  readonly fetched: boolean
}

function toTouched(records: readonly JournalRecord[]): readonly Touched[] {
  const touched = new Map<string, Touched>()
  const add = (provider: string, name: string, fetched = false) => {
    const key = JSON.stringify([provider, name])
    touched.set(key, { provider, name, fetched: fetched || touched.get(key)?.fetched === true })
  }
  for (const { provider, job } of records) {
    if (job === undefined) continue
    if ("state" in job) add(provider, job.id)
    else if ("item" in job) add(provider, job.source)
    else add(provider, job.fetched, true)
  }
  return [...touched.values()]
}

/** Returns one row for each job: what the first creation of it says, and what is known at the end of the batch. */
function mergeStates(records: readonly RecordWith<JobState>[]): readonly Record<string, unknown>[] {
  const jobs = new Map<string, Record<string, unknown>>()
  for (const record of records) {
    const { provider, job } = record
    const key = JSON.stringify([provider, job.id])
    const known = jobs.get(key)
    const creation = known?.["created_by"] ? known : job.created ? toCreation(record) : known
    jobs.set(key, {
      created_at: record.requested_at,
      ...creation,
      provider,
      id: job.id,
      kind: job.kind,
      state: known !== undefined && known["state"] !== "running" ? known["state"] : job.state,
      fetch_path: job.fetch ?? known?.["fetch_path"],
      expected_items: job.expected ?? known?.["expected_items"],
    })
  }
  return [...jobs.values()]
}

function toCreation(record: JournalRecord): Record<string, unknown> {
  return {
    created_by: record.id,
    created_at: record.requested_at,
    majordomo_api_key_id: record.majordomo_api_key_id,
    provider_api_key_alias: record.provider_api_key_alias,
    raw_metadata: record.raw_metadata,
    requested_model: record.requested_model,
  }
}

function toFiles({ provider, job }: RecordWith<JobState>): readonly Record<string, unknown>[] {
  return (job.files ?? []).map((file) => ({ provider, file, job_id: job.id }))
}

interface Item {
  readonly provider: string
  readonly source: string
  readonly item: string
  readonly record?: ItemRecord
}

/** The row of the creation bills the job itself. */
function toOwnItem({ provider, job }: RecordWith<JobState>): readonly Item[] {
  return job.created && job.billed ? [{ provider, source: job.id, item: "" }] : []
}

function toItem(record: ItemRecord): Item {
  return { provider: record.provider, source: record.job.source, item: record.job.item, record }
}

/** Parallel downloads deliver the same items. */
function withoutRepeated(items: readonly Item[]): readonly Item[] {
  const first = new Map<string, Item>()
  for (const item of items) {
    const key = JSON.stringify([item.provider, item.source, item.item])
    if (!first.has(key)) first.set(key, item)
  }
  return [...first.values()]
}

interface Billable {
  readonly provider: string
  readonly source: string
  readonly item: string
  readonly record: ItemRecord
  /** Null: the job was not created through a gateway, and its items are billed all the same. */
  readonly created_by: string | null
  readonly majordomo_api_key_id: string | null
  readonly provider_api_key_alias: string | null
  readonly raw_metadata: Readonly<Record<string, string>> | null
  readonly requested_model: string | null
}

/** Bills items that are not billed yet and whose job is known now, at most `ITEMS_PER_STATEMENT`, and returns them. */
async function billItems(query: RunQuery, touched: readonly Touched[]): Promise<readonly LateRow[]> {
  const values = [JSON.stringify(touched), ITEMS_PER_STATEMENT]
  const { rows } = await query<Billable>({ text: FIND_BILLABLE, values })
  const completing = rows.filter(({ created_by, record }) => created_by !== null && record.job.completes)
  const completed = new Set<string>()
  if (completing.length > 0) {
    const given = completing.map(({ record, created_by }) => ({ ...record, id: created_by }))
    const result = await query<{ id: string }>({ text: COMPLETE_ROWS, values: [JSON.stringify(given)] })
    for (const { id } of result.rows) completed.add(id)
  }
  // A row that should be completed may have been pruned. Then the job gets a row of its own.
  const late = rows.map((row) => ({
    record: attribute(row),
    isNew: !(row.record.job.completes && completed.has(row.created_by ?? "")),
  }))
  await insertRecords(
    query,
    late.flatMap(({ record, isNew }) => (isNew ? record : [])),
  )
  await send(
    query,
    BILL_ITEMS,
    rows.map(({ provider, source, item }) => ({ provider, source, item })),
  )
  return late
}

/** Returns the row of an item with the key and metadata of the request that created its job. */
function attribute({ record, created_by, ...creation }: Billable): JournalRecord {
  if (created_by === null) return record
  return {
    ...record,
    majordomo_api_key_id: creation.majordomo_api_key_id ?? undefined,
    provider_api_key_alias: creation.provider_api_key_alias ?? undefined,
    raw_metadata: creation.raw_metadata ?? undefined,
    requested_model: record.requested_model ?? creation.requested_model ?? undefined,
    model: record.model || (creation.requested_model ?? ""),
  }
}

async function insertRecords(query: RunQuery, records: readonly JournalRecord[]): Promise<void> {
  if (records.length > 0) await insertRows(query, JSON.stringify(records), { count: records.length })
}

async function send(query: RunQuery, text: string, rows: readonly unknown[]): Promise<void> {
  if (rows.length > 0) await query({ text, values: [JSON.stringify(rows)] })
}
